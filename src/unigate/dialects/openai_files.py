"""OpenAI's files: `/v1/files`, kept by ourselves.

https://platform.openai.com/docs/api-reference/files; `url` is ours: a signed link under which any vendor may fetch the file.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, GatewayError, NotFound
from unigate.dialects import form_read
from unigate.dialects.openai_errors import write_error
from unigate.spec.form import FilePart, Form, FormBounds, Part
from unigate.spec.operation import Operation
from unigate.spec.own_file import Listed, NewFile, OwnFile

__all__ = [
    "OPERATIONS",
    "copy_form",
    "file_object",
    "missing",
    "read_copy",
    "read_file",
    "read_listing",
    "write_deleted",
    "write_error",
]

#: What files are for; others are made by the vendor only.
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
#: For which `expires_after` may be asked, in seconds.
LEAST, MOST = 3600, 2_592_000
#: Files of batches end by themselves.
OF_BATCHES = MOST
MOST_FILES = 10_000
_NAME_CHARACTERS = 255
_DEFAULT = "user_data"


_COPY_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")


class _Copy(msgspec.Struct, gc=False):
    id: str = ""


_copy = msgspec.json.Decoder(_Copy)


def _row(name: str, method: str, path: str = "", use: str = "own_file") -> Operation:
    # Their path at providers is that of copies.
    return Operation(
        name=f"openai.files.{name}",
        method=method,
        path=f"/v1/files{path}",
        dialect="openai_files",
        family="files",
        use=use,
        free=True,
        upstream_path=f"/files{path}",
    )


OPERATIONS = (
    Operation(
        name="openai.files.create",
        method="POST",
        path="/v1/files",
        dialect="openai_files",
        family="files",
        use="own_file_create",
        free=True,
        body="form",
        body_bytes=512 << 20,
        form=FormBounds(parts=16, fields=64 << 10),
        upstream_path="/files",
    ),
    _row("list", "GET", use="own_files"),
    _row("get", "GET", "/{id}"),
    _row("delete", "DELETE", "/{id}", "own_file_delete"),
    _row("content", "GET", "/{id}/content", "own_file_content"),
)


def read_file(form: Form) -> NewFile:
    """The file that a form brings; BadRequest."""
    found = form_read.files(form, "file")
    if len(found) != 1:
        raise BadRequest("Send one file, in the part 'file'.", param="file")
    if not found[0].size:
        raise BadRequest("The file is empty.", param="file")
    purpose = form_read.text(form, "purpose")
    purpose = check_purpose(_DEFAULT if purpose is None else purpose)
    anchor = form_read.text(form, "expires_after[anchor]")
    seconds = form_read.text(form, "expires_after[seconds]")
    lasts: int | None = None
    if seconds is not None:
        lasts = int(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) < 16 else -1
    return NewFile(
        part=found[0],
        purpose=purpose,
        filename=check_filename(found[0].filename, param="file"),
        lasts=check_lasts(anchor, lasts, purpose),
    )


def check_purpose(purpose: str) -> str:
    """The purpose; BadRequest."""
    if purpose not in PURPOSES:
        raise BadRequest(f"'{purpose[:100]}' is not one of {', '.join(PURPOSES)}.", param="purpose")
    return purpose


def check_filename(name: str, *, param: str) -> str:
    """A name without folders; BadRequest."""
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _NAME_CHARACTERS or not name.isprintable():
        raise BadRequest(f"A file has a name of up to {_NAME_CHARACTERS} printable characters.", param=param)
    return name


def check_lasts(anchor: str | None, seconds: int | None, purpose: str) -> int:
    """Seconds for which a file is to last, 0: for ever. BadRequest."""
    if anchor is None and seconds is None:
        return OF_BATCHES if purpose == "batch" else 0
    if anchor != "created_at":
        raise BadRequest("Files expire some time after 'created_at'.", param="expires_after.anchor")
    if seconds is None or not LEAST <= seconds <= MOST:
        raise BadRequest(f"Files expire after {LEAST} to {MOST} seconds.", param="expires_after.seconds")
    return seconds


def read_listing(query: bytes) -> Listed:
    """What a list is to show; BadRequest."""
    asked = {name: values[-1] for name, values in parse_qs(query.decode("ascii", "replace")).items()}
    limit = asked.get("limit", str(MOST_FILES))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST_FILES):
        raise BadRequest(f"'limit' is a number from 1 to {MOST_FILES}.", param="limit")
    order = asked.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("'order' is asc or desc.", param="order")
    after = asked.get("after", "")
    purpose = asked.get("purpose")
    if "\0" in after or "\0" in (purpose or ""):
        raise BadRequest(
            "A parameter has a character that none may have.", param="after" if "\0" in after else "purpose"
        )
    return Listed(purpose=purpose, limit=int(limit), newest_first=order == "desc", after=after)


def copy_form(file: OwnFile, part: FilePart, purpose: str, *, now: int) -> tuple[Form, int]:
    """The form by which a provider gets a copy, and when that expires there, in ms since 1970; 0: never.

    A provider keeps it for an hour at least, whatever we do.
    """
    fields = [Part(name="purpose", value=purpose.encode())]
    seconds = 0
    if file.expires_at:
        seconds = min(max((file.expires_at - now) // 1000, LEAST), MOST)
        fields.append(Part(name="expires_after[anchor]", value=b"created_at"))
        fields.append(Part(name="expires_after[seconds]", value=b"%d" % seconds))
    return Form((*fields, part)), now + seconds * 1000 if seconds else 0


def read_copy(body: bytes) -> str:
    """The id that a provider gave a copy; BadAnswer."""
    try:
        id = _copy.decode(body).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        id = ""
    if not _COPY_ID.fullmatch(id):
        raise BadAnswer(detail="the answer to an upload names no file")
    return id


def missing(file_id: str) -> GatewayError:
    """The error for a file that is not there, or is another user's."""
    return NotFound(f"No such File object: {file_id[:100]}", param="id")


def file_object(file: OwnFile) -> dict[str, object]:
    """A file as callers read it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created_at // 1000,
        "expires_at": file.expires_at // 1000 or None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
        "url": file.url,
    }


def write_file(file: OwnFile) -> bytes:
    """One file."""
    return msgspec.json.encode(file_object(file))


def write_files(files: Sequence[OwnFile], *, more: bool) -> bytes:
    """A page of the list."""
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [file_object(file) for file in files],
            "first_id": files[0].id if files else None,
            "last_id": files[-1].id if files else None,
            "has_more": more,
        }
    )


def write_deleted(file_id: str) -> bytes:
    """What is said once a file was deleted."""
    return msgspec.json.encode({"id": file_id, "object": "file", "deleted": True})
