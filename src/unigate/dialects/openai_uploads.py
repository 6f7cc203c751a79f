"""OpenAI's uploads: files in parts, each of which comes in a call of its own. Kept by ourselves.

https://platform.openai.com/docs/api-reference/uploads
"""

import re
from typing import TypeVar

import msgspec

from unigate.base.errors import BadRequest, GatewayError, NotFound
from unigate.dialects import form_read, json_read
from unigate.dialects.openai_errors import write_error
from unigate.dialects.openai_files import check_filename, check_lasts, check_purpose, file_object
from unigate.spec.form import FilePart, Form, FormBounds
from unigate.spec.operation import Operation
from unigate.spec.own_file import Completion, NewUpload, Upload

__all__ = ["OPERATIONS", "write_error"]

T = TypeVar("T")
#: Bytes of a part at most, and parts of an upload.
PART = 64 << 20
MOST_PARTS = 10_000
_JSON_BYTES = 1 << 20
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?", re.ASCII)
_FIELDS = ("bytes", "filename", "mime_type", "purpose", "expires_after")


def _row(name: str, path: str, use: str) -> Operation:
    return Operation(
        name=f"openai.uploads.{name}",
        method="POST",
        path=f"/v1/uploads{path}",
        dialect="openai_uploads",
        family="files",
        use=use,
        free=True,
        body="json" if name in ("create", "complete") else "none",
        body_bytes=_JSON_BYTES,
    )


OPERATIONS = (
    _row("create", "", "upload_create"),
    Operation(
        name="openai.uploads.parts",
        method="POST",
        path="/v1/uploads/{id}/parts",
        dialect="openai_uploads",
        family="files",
        use="upload_part",
        free=True,
        body="form",
        body_bytes=PART + (1 << 20),
        form=FormBounds(parts=4, fields=64 << 10),
    ),
    _row("complete", "/{id}/complete", "upload_complete"),
    _row("cancel", "/{id}/cancel", "upload_cancel"),
)


class _Expires(msgspec.Struct):
    anchor: str | None = None
    seconds: int | None = None


class _New(msgspec.Struct):
    bytes: int | None = None
    filename: str | None = None
    mime_type: str | None = None
    purpose: str | None = None
    expires_after: _Expires | None = None


class _Complete(msgspec.Struct):
    part_ids: list[str] | None = None
    md5: str | None = None


_NEW = msgspec.json.Decoder(_New)
_COMPLETE = msgspec.json.Decoder(_Complete)


def read_upload(body: bytes) -> NewUpload:
    """The upload that is to begin; InvalidJson, BadRequest."""
    asked = json_read.decode(body, _NEW)
    json_read.refuse_twice(body, _FIELDS)
    size = _needed(asked.bytes, "bytes")
    if size < 1:
        raise BadRequest("An upload has at least one byte.", param="bytes")
    purpose = check_purpose(_needed(asked.purpose, "purpose"))
    kind = _needed(asked.mime_type, "mime_type")
    if not _TYPE.fullmatch(kind) or len(kind) > 255:
        raise BadRequest("'mime_type' is no media type.", param="mime_type")
    expires = asked.expires_after or _Expires()
    return NewUpload(
        purpose=purpose,
        filename=check_filename(_needed(asked.filename, "filename"), param="filename"),
        media_type=kind,
        size=size,
        lasts=check_lasts(expires.anchor, expires.seconds, purpose),
    )


def read_part(form: Form) -> FilePart:
    """The bytes of a part; BadRequest."""
    found = form_read.files(form, "data")
    if len(found) != 1:
        raise BadRequest("Send one part of the file, in the part 'data'.", param="data")
    if not 1 <= found[0].size <= PART:
        raise BadRequest(f"A part has 1 to {PART} bytes.", param="data")
    return found[0]


def read_completion(body: bytes) -> Completion:
    """What makes an upload complete; InvalidJson, BadRequest."""
    asked = json_read.decode(body, _COMPLETE)
    json_read.refuse_twice(body, ("part_ids", "md5"))
    ids = _needed(asked.part_ids, "part_ids")
    if not 1 <= len(ids) <= MOST_PARTS or len(set(ids)) != len(ids):
        raise BadRequest(f"'part_ids' names 1 to {MOST_PARTS} parts, each once.", param="part_ids")
    md5 = asked.md5 or ""
    if md5 and not _MD5.fullmatch(md5):
        raise BadRequest("'md5' is not 32 hexadecimal digits.", param="md5")
    return Completion(part_ids=tuple(ids), md5=md5.lower())


def missing(upload_id: str) -> GatewayError:
    """The error for an upload that is not there, or is another user's."""
    return NotFound(f"No such Upload object: {upload_id[:100]}", param="upload_id")


def ended(upload: Upload) -> GatewayError:
    """The error for what can only be done to an upload that is pending."""
    return BadRequest(f"Upload {upload.id} is {upload.state}; only a pending one can be changed.", param="upload_id")


def write_upload(upload: Upload) -> bytes:
    """An upload as callers read it."""
    return msgspec.json.encode(
        {
            "id": upload.id,
            "object": "upload",
            "bytes": upload.size,
            "created_at": upload.created_at // 1000,
            "filename": upload.filename,
            "purpose": upload.purpose,
            "status": upload.state,
            "expires_at": upload.expires_at // 1000,
            "file": file_object(upload.file) if upload.file is not None else None,
        }
    )


def write_part(part_id: str, upload_id: str, created_at: int) -> bytes:
    """A part as callers read it."""
    return msgspec.json.encode(
        {"id": part_id, "object": "upload.part", "created_at": created_at // 1000, "upload_id": upload_id}
    )


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise BadRequest(f"Missing required parameter: '{name}'.", param=name)
    return value
