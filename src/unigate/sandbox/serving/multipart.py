"""Reads forms with files (`multipart/form-data`). RFC 7578."""

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

#: More parts than any form of a vendor has.
_MOST_PARTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form."""

    name: str
    #: Empty where the field is no file.
    filename: str
    media_type: str
    data: bytes


def read(body: bytes, content_type: str) -> tuple[Part, ...]:
    """The fields of a form in their order; ValueError where it is none."""
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or not boundary:
        raise ValueError("this is no form")
    mark = b"--" + boundary.encode("latin-1")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("the form has no end")
    if len(pieces) > _MOST_PARTS:
        raise ValueError("the form has too many fields")
    return tuple(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> Part:
    head, blank, data = piece.partition(b"\r\n\r\n")
    told = HeaderParser().parsestr(head.lstrip(b" \t").removeprefix(b"\r\n").decode("utf-8", "replace"))
    name = told.get_param("name", header="content-disposition")
    if not blank or not isinstance(name, str):
        raise ValueError("a field of the form has no name")
    given = "content-type" in told
    return Part(
        name=name,
        filename=told.get_filename() or "",
        media_type=told.get_content_type() if given else "",
        data=data,
    )
