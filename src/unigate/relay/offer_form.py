"""The form in which an offer of WebRTC comes, cut into parts that go on to the byte.

Forms elsewhere are written anew (`http/forms.py`); this one passes, so it is refused wherever the vendor could see other
parts, or other names of parts, in it than we do (RFC 7578).
"""

import re

from python_multipart.multipart import parse_options_header

from unigate.base.errors import BadRequest

_LINE, BLANK = b"\r\n", b"\r\n\r\n"
_FORM = b"multipart/form-data"
#: Boundaries that need no quotes, and mean the same in them.
_BOUNDARY = re.compile(rb"[\w'+.=-]{1,70}", re.ASCII)
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BOUNDARIES = re.compile(rb";\s*boundary\s*[*=]", re.IGNORECASE)
#: The most parts of a form, and bytes of a part's headers.
_PARTS, _HEAD = 100, 16 << 10
#: What readers of a name undo differently.
_ESCAPES = re.compile(rb'["\\%]')
#: A name in a form of its own, which some readers take for the name and others leave out: `name*=`, `name*0=`.
_EXTENDED = re.compile(rb";\s*name\s*\*", re.IGNORECASE)
_NAMED = re.compile(rb";\s*name\s*=", re.IGNORECASE)


def boundary_of(kind: bytes) -> bytes | None:
    """The boundary that a content type names; None where it is of no form. BadRequest."""
    form, options = parse_options_header(kind.decode("latin-1"))
    if not form.startswith(b"multipart/"):
        return None
    boundary = options.get(b"boundary", b"")
    if form != _FORM or len(_BOUNDARIES.findall(kind)) != 1 or _BOUNDARY.fullmatch(boundary) is None:
        raise _broken("its content type names no boundary that all readers see")
    return boundary


def split(body: bytes, boundary: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The bytes between the parts, and each part with its name; the first and the last are what stands around them.

    Joined by those bytes they are the body, behind one line end. BadRequest.
    """
    delimiter = _LINE + b"--" + boundary
    first, *parts = (_LINE + body).split(delimiter, _PARTS + 2)
    if len(parts) > _PARTS + 1:
        raise _broken(f"it has more than {_PARTS} parts")
    if first or not parts or parts[-1] not in (b"--", b"--" + _LINE):
        raise _broken("it does not begin and end with its boundary")
    return delimiter, [("", first), *((_name(part), part) for part in parts[:-1]), ("", parts[-1])]


def _name(part: bytes) -> str:
    """The name of a part."""
    head, blank, _ = part.partition(BLANK)
    if not blank or not head.startswith(_LINE) or len(head) > _HEAD:
        raise _broken("a part has no headers, or too long ones")
    headers: dict[bytes, bytes] = {}
    for line in head.removeprefix(_LINE).split(_LINE):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name != name.strip() or name in headers or _CONTROLS.search(line):
            raise _broken("a part's headers can be read in two ways")
        headers[name] = value.strip()
    said = headers.get(b"content-disposition", b"")
    kind, options = parse_options_header(said.decode("latin-1"))
    found = options.get(b"name", b"")
    if kind != b"form-data" or not found or _EXTENDED.search(said) or len(_NAMED.findall(said)) != 1:
        raise _broken("a part has no name that all readers see")
    if _ESCAPES.search(found) or b"content-transfer-encoding" in headers:
        raise _broken("a part is coded")
    return found.decode("utf-8", "replace")


def _broken(why: str) -> BadRequest:
    return BadRequest(f"The form could not be read: {why}.")
