"""Uploads: large files in parts, that become a file once they are complete.

https://platform.openai.com/docs/api-reference/uploads
"""

import hashlib
from dataclasses import dataclass, field

from unigate.base import clock
from unigate.sandbox.forms import checks, platform, platform_files
from unigate.sandbox.forms.platform_files import Upload
from unigate.sandbox.serving.answer import Answer, Object
from unigate.sandbox.serving.face import Call, Route

_LASTS_MS = 3_600_000
_LARGEST = 8 << 30
_LARGEST_PART = 64 << 20
_CREATED = ("filename", "purpose", "bytes", "mime_type", "expires_after")


@dataclass(slots=True, kw_only=True, eq=False)
class Growing:
    """A file that comes in parts."""

    id: str
    filename: str
    purpose: str
    size: int
    #: Seconds for which the file will last, 0: for ever.
    lasts: int
    state: str = "pending"
    made_ms: int = field(default_factory=clock.now_ms)
    #: Id of a part -> its id among the files of the sandbox.
    parts: dict[str, str] = field(default_factory=dict)
    file: Upload | None = None

    @property
    def status(self) -> str:
        """The vendor's word for how far it is."""
        over = clock.now_ms() - self.made_ms >= _LASTS_MS
        return "expired" if over and self.state == "pending" else self.state

    def shown(self) -> Object:
        """The upload as the vendor tells it."""
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.size,
            "created_at": self.made_ms // 1000,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": self.status,
            "expires_at": (self.made_ms + _LASTS_MS) // 1000,
            "file": self.file.shown() if self.file else None,
        }


def routes() -> tuple[Route, ...]:
    """All operations of uploads."""
    return (
        Route("POST", "/v1/uploads", _create),
        Route("POST", "/v1/uploads/{id}/parts", _add),
        Route("POST", "/v1/uploads/{id}/complete", _complete),
        Route("POST", "/v1/uploads/{id}/cancel", _cancel),
    )


async def _create(call: Call) -> Answer:
    """POST /uploads."""
    body = platform.body(call, _CREATED)
    for name in ("filename", "purpose", "mime_type"):
        checks.text(body, name, name, required=True)
    size = checks.integer(body, "bytes", 1, _LARGEST)
    if size is None:
        raise checks.missing("bytes")
    made = Growing(
        id=platform.hex_id("upload_", 32),
        filename=body["filename"],
        purpose=platform_files.purpose(body["purpose"]),
        size=size,
        lasts=platform_files.lasting(body.get("expires_after")),
    )
    call.world.cabinet.of(Growing, call.credential).put(made.id, made)
    return platform.answer(made.shown())


def _pending(call: Call) -> Growing:
    id = call.params["id"]
    kept = call.world.cabinet.of(Growing, call.credential).get(platform.begins(id, "upload_id", "upload_"))
    one = platform.found(kept, f"No such Upload object: {id[:100]}", param="upload_id")
    if one.status != "pending":
        raise checks.refuse(f"Upload {one.id} is {one.status}; it can no longer be changed.", "upload_id")
    return one


async def _add(call: Call) -> Answer:
    """POST /uploads/{id}/parts."""
    one = _pending(call)
    parts = platform_files.form(call)
    if "data" not in parts:
        raise checks.missing("data")
    data = parts["data"].data
    if not 0 < len(data) <= _LARGEST_PART:
        raise checks.refuse(f"A part has 1 to {_LARGEST_PART} bytes.", "data", "invalid_value")
    id = platform.hex_id("part_", 32)
    one.parts[id] = call.world.files.put(data, "bin").id
    return platform.answer(
        {"id": id, "object": "upload.part", "created_at": platform.now(), "upload_id": one.id},
    )


async def _complete(call: Call) -> Answer:
    """POST /uploads/{id}/complete."""
    one = _pending(call)
    body = platform.body(call, ("part_ids", "md5"))
    ids = checks.listed(body.get("part_ids"), "part_ids", "strings", least=1)
    unknown = [id for id in ids if id not in one.parts]
    if unknown or len(set(ids)) < len(ids):
        raise checks.refuse(
            f"Invalid 'part_ids': each part of {one.id} may be named once.", "part_ids", "invalid_value"
        )
    files = [call.world.files.get(one.parts[id]) for id in ids]
    data = b"".join(file.data for file in files if file)
    if len(data) != one.size:
        told = f"The parts have {len(data)} bytes, but the upload was made for {one.size}."
        raise checks.refuse(told, "part_ids", "invalid_value")
    md5 = checks.text(body, "md5", "md5")
    if md5 and md5.lower() != hashlib.md5(data, usedforsecurity=False).hexdigest():
        raise checks.refuse("The checksum of the parts is not 'md5'.", "md5", "invalid_value")
    one.file = platform_files.add(
        call.world, call.credential, data, filename=one.filename, purpose=one.purpose, lasts=one.lasts
    )
    _end(call, one, "completed")
    return platform.answer(one.shown())


async def _cancel(call: Call) -> Answer:
    """POST /uploads/{id}/cancel."""
    one = _pending(call)
    _end(call, one, "cancelled")
    return platform.answer(one.shown())


def _end(call: Call, one: Growing, state: str) -> None:
    """Come to an end; nothing of the parts stays."""
    one.state = state
    for kept in one.parts.values():
        call.world.files.drop(kept)
    one.parts.clear()
