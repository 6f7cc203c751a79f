"""Files that callers upload to OpenAI, and those that the vendor makes for them (results of batches and of training).

https://platform.openai.com/docs/api-reference/files
"""

from dataclasses import dataclass

from unigate.base import clock
from unigate.sandbox.brain import documents
from unigate.sandbox.forms import checks, platform
from unigate.sandbox.forms.attached import Library
from unigate.sandbox.serving import multipart
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route
from unigate.sandbox.serving.multipart import Part
from unigate.sandbox.serving.world import World

#: What callers may upload files for.
_PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
#: Files that are never given back.
_SHUT = frozenset({"assistants", "user_data", "vision"})
_LINES = {"batch": "Batch API", "fine-tune": "Fine-Tuning API"}
_LEAST_SECONDS, _MOST_SECONDS = 3600, 2_592_000
_LONGEST_NAME = 512
_LONGEST_NUMBER = 16
_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file; its bytes are among those of the sandbox."""

    id: str
    filename: str
    purpose: str
    size: int
    made_ms: int
    #: When it goes, 0: never.
    expires_ms: int
    #: Its id among the files of the sandbox.
    kept: str

    def shown(self) -> Object:
        """The file as the vendor tells it."""
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": self.size,
            "created_at": self.made_ms // 1000,
            "expires_at": self.expires_ms // 1000 or None,
            "status": "processed",
            "status_details": None,
        }


def routes() -> tuple[Route, ...]:
    """All operations of files."""
    one = "/v1/files/{id}"
    return (
        Route("POST", "/v1/files", _create),
        Route("GET", "/v1/files", _list),
        Route("GET", one, _get),
        Route("DELETE", one, _delete),
        Route("GET", f"{one}/content", _content),
    )


def add(world: World, credential: str, data: bytes, *, filename: str, purpose: str, lasts: int = 0) -> Upload:
    """Keep a file for so many seconds, 0: for ever."""
    now = clock.now_ms()
    upload = Upload(
        id=platform.letters_id("file-", 22),
        filename=filename,
        purpose=purpose,
        size=len(data),
        made_ms=now,
        expires_ms=now + lasts * 1000 if lasts else 0,
        kept=world.files.put(data, "bin").id,
    )
    world.cabinet.of(Upload, credential).put(upload.id, upload)
    return upload


def find(world: World, credential: str, id: str) -> Upload | None:
    """One file of an account, None where it has none such, or no longer."""
    upload = world.cabinet.of(Upload, credential).get(id)
    if upload is None or world.files.get(upload.kept) is None:
        return None
    return None if upload.expires_ms and upload.expires_ms <= clock.now_ms() else upload


def read(world: World, upload: Upload) -> bytes:
    """The bytes of a file."""
    kept = world.files.get(upload.kept)
    return b"" if kept is None else kept.data


def words(world: World, upload: Upload) -> str:
    """What stands in a file, as text."""
    return documents.text(read(world, upload))


def needed(call: Call, id: str, param: str | None = "id") -> Upload:
    """The file that a call names; the vendor's 404 where there is none."""
    return platform.found(find(call.world, call.credential, id), missing(id), param=param)


def library(call: Call) -> Library:
    """The files that a call may name."""

    def give(id: str, param: str) -> tuple[str, bytes]:
        upload = needed(call, id, param)
        return upload.filename, read(call.world, upload)

    return give


def missing(id: str) -> str:
    """What is said of a file that is not there."""
    return f"No such File object: {id[:100]}"


def lasting(given: object, param: str = "expires_after") -> int:
    """The seconds of `expires_after`, 0 where it was not given."""
    if given is None:
        return 0
    value = checks.mapping(given, param)
    checks.one_of(value.get("anchor"), f"{param}.anchor", ("created_at",))
    seconds = checks.integer(value, "seconds", _LEAST_SECONDS, _MOST_SECONDS, f"{param}.seconds")
    if seconds is None:
        raise checks.missing(f"{param}.seconds")
    return seconds


def purpose(name: str) -> str:
    """What a file is for, as callers may say it."""
    if name not in _PURPOSES:
        raise checks.refuse(f"'{name[:100]}' is not one of {list(_PURPOSES)} - 'purpose'", None)
    return name


def form(call: Call) -> dict[str, Part]:
    """The fields of a call's form by their names."""
    try:
        return {part.name: part for part in multipart.read(call.body, call.headers.get("content-type", ""))}
    except ValueError as error:
        raise VendorError(400, f"We could not parse the form of your request: {error}.") from None


async def _create(call: Call) -> Answer:
    """POST /files."""
    parts = form(call)
    for name in ("file", "purpose"):
        if name not in parts:
            raise checks.refuse(f"'{name}' is a required property", None)
    texts = {name: part.data.decode("utf-8", "replace") for name, part in parts.items() if name != "file"}
    wanted, given = purpose(texts["purpose"]), parts["file"]
    name = platform.longest(given.filename or "file", "file", _LONGEST_NAME)
    if not given.data:
        raise checks.refuse("File is empty.", "file")
    if wanted in _LINES and not name.lower().endswith(".jsonl"):
        raise checks.refuse(f"Invalid file format for {_LINES[wanted]}. Must be .jsonl", None)
    lasts = lasting(_expiry(texts)) or (_MOST_SECONDS if wanted == "batch" else 0)
    made = add(call.world, call.credential, given.data, filename=name, purpose=wanted, lasts=lasts)
    return platform.answer(made.shown())


def _expiry(texts: dict[str, str]) -> Object | None:
    """`expires_after` out of the fields of a form."""
    given: Object = {}
    for name in ("anchor", "seconds"):
        text = texts.get(f"expires_after[{name}]")
        if text is not None:
            given[name] = (
                int(text)
                if name == "seconds" and text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER
                else text
            )
    return given or None


async def _list(call: Call) -> Answer:
    """GET /files."""
    wanted = call.query.get("purpose")
    drawer = call.world.cabinet.of(Upload, call.credential)
    kept = [one for one in drawer.all() if find(call.world, call.credential, one.id)]
    rows = [one.shown() for one in kept if wanted in (None, one.purpose)]
    return platform.answer(platform.page(call, rows, usual=_MOST, most=_MOST))


async def _get(call: Call) -> Answer:
    """GET /files/{id}."""
    return platform.answer(needed(call, call.params["id"]).shown())


async def _delete(call: Call) -> Answer:
    """DELETE /files/{id}."""
    upload = needed(call, call.params["id"])
    call.world.cabinet.of(Upload, call.credential).drop(upload.id)
    call.world.files.drop(upload.kept)
    return platform.answer({"object": "file", "deleted": True, "id": upload.id})


async def _content(call: Call) -> Answer:
    """GET /files/{id}/content."""
    upload = needed(call, call.params["id"])
    if upload.purpose in _SHUT:
        raise checks.refuse(f"Not allowed to download files of purpose: {upload.purpose}", None)
    return Whole(
        payload=read(call.world, upload),
        media_type="application/octet-stream",
        headers=(("content-disposition", f'attachment; filename="{_ascii(upload.filename)}"'),),
    )


def _ascii(name: str) -> str:
    """A name as a header may have it."""
    return "".join(letter if letter.isascii() and letter.isprintable() and letter != '"' else "_" for letter in name)
