"""The operations of files in vector stores: one by one, and in batches."""

from collections.abc import Sequence

from unigate.sandbox.forms import checks, platform, platform_files, vector_request, vector_store
from unigate.sandbox.forms.platform_files import Upload
from unigate.sandbox.forms.platform_vector_stores import store
from unigate.sandbox.forms.vector_store import FileBatch, Member, Store
from unigate.sandbox.serving.answer import Answer, Object
from unigate.sandbox.serving.face import Call, Route

_MOST_FILES = 2000
_ONE = ("file_id", "chunking_strategy", "attributes")


def routes() -> tuple[Route, ...]:
    """The operations of files and file batches of stores."""
    files, batches = "/v1/vector_stores/{id}/files", "/v1/vector_stores/{id}/file_batches"
    return (
        Route("POST", files, _create),
        Route("GET", files, _list),
        Route("GET", f"{files}/{{file}}", _get),
        Route("POST", f"{files}/{{file}}", _update),
        Route("DELETE", f"{files}/{{file}}", _delete),
        Route("GET", f"{files}/{{file}}/content", _content),
        Route("POST", batches, _create_batch),
        Route("GET", f"{batches}/{{batch}}", _get_batch),
        Route("POST", f"{batches}/{{batch}}/cancel", _cancel_batch),
        Route("GET", f"{batches}/{{batch}}/files", _list_batch),
    )


def _read(call: Call, body: Object, at: str = "") -> tuple[Upload, Object, Object]:
    """The file that an object names, how it is cut, and its attributes."""
    dot = f"{at}." if at else ""
    id = checks.text(body, "file_id", f"{dot}file_id", required=True)
    upload = platform_files.needed(call, platform.begins(id, f"{dot}file_id", "file"), f"{dot}file_id")
    cut = vector_request.chunking(body.get("chunking_strategy"), f"{dot}chunking_strategy")
    return upload, cut, vector_request.attributes(body.get("attributes"), f"{dot}attributes")


def _member(call: Call) -> tuple[Store, Member]:
    one = store(call)
    id = platform.begins(call.params["file"], "file_id", "file")
    kept = next((m for m in vector_store.members(call.world, call.credential, one) if m.upload.id == id), None)
    return one, platform.found(kept, f"No file found with id '{id[:100]}' in vector store '{one.id}'.")


def _page(call: Call, members: Sequence[Member]) -> Answer:
    """A list of files, all or those that are so far."""
    wanted = call.query.get("filter")
    if wanted is not None:
        checks.one_of(wanted, "filter", vector_store.STATUSES)
    rows = [member.shown() for member in members]
    return platform.answer(platform.page(call, [row for row in rows if wanted in (None, row["status"])]))


async def _create(call: Call) -> Answer:
    """POST /vector_stores/{id}/files."""
    one = store(call)
    given = _read(call, platform.body(call, _ONE))
    return platform.answer(vector_store.add(call, one, *given).shown())


async def _list(call: Call) -> Answer:
    """GET /vector_stores/{id}/files."""
    return _page(call, vector_store.members(call.world, call.credential, store(call)))


async def _get(call: Call) -> Answer:
    """GET /vector_stores/{id}/files/{file}."""
    return platform.answer(_member(call)[1].shown())


async def _update(call: Call) -> Answer:
    """POST /vector_stores/{id}/files/{file}."""
    _, member = _member(call)
    body = platform.body(call, ("attributes",))
    if "attributes" not in body:
        raise checks.missing("attributes")
    member.attributes = vector_request.attributes(body["attributes"])
    return platform.answer(member.shown())


async def _delete(call: Call) -> Answer:
    """DELETE /vector_stores/{id}/files/{file}."""
    one, member = _member(call)
    one.members.drop(member.upload.id)
    return platform.answer({"id": member.upload.id, "object": "vector_store.file.deleted", "deleted": True})


async def _content(call: Call) -> Answer:
    """GET /vector_stores/{id}/files/{file}/content."""
    _, member = _member(call)
    data = [{"type": "text", "text": member.text}] if member.text else []
    told = {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}
    return platform.answer(told)


async def _create_batch(call: Call) -> Answer:
    """POST /vector_stores/{id}/file_batches."""
    one = store(call)
    body = platform.body(call, ("file_ids", "files", "chunking_strategy", "attributes"))
    if ("file_ids" in body) is ("files" in body):
        raise checks.refuse("Exactly one of 'file_ids' and 'files' must be given.", "file_ids", "invalid_value")
    if "files" in body:
        listed = [
            (checks.mapping(each, f"files[{place}]"), f"files[{place}]")
            for place, each in enumerate(checks.listed(body["files"], "files", least=1, most=_MOST_FILES))
        ]
    else:
        ids = checks.listed(body["file_ids"], "file_ids", "strings", least=1, most=_MOST_FILES)
        shared = {name: body.get(name) for name in ("chunking_strategy", "attributes")}
        listed = [({"file_id": id, **shared}, "") for id in ids]
    read = []
    for given, at in listed:
        platform.refuse_unknown(given, _ONE, at)
        read.append(_read(call, given, at))
    members = [vector_store.add(call, one, *each) for each in read]
    made = FileBatch(id=platform.hex_id("vsfb_", 32), store=one.id, members=members)
    one.batches.put(made.id, made)
    return platform.answer(made.shown())


def _batch(call: Call) -> FileBatch:
    one, id = store(call), call.params["batch"]
    return platform.found(one.batches.get(id), f"No file batch found with id '{id[:100]}' in vector store '{one.id}'.")


async def _get_batch(call: Call) -> Answer:
    """GET /vector_stores/{id}/file_batches/{batch}."""
    return platform.answer(_batch(call).shown())


async def _cancel_batch(call: Call) -> Answer:
    """POST /vector_stores/{id}/file_batches/{batch}/cancel."""
    batch = _batch(call)
    if batch.shown()["status"] == "in_progress":
        batch.cancelled = True
        for member in batch.members:
            member.cancel()
    return platform.answer(batch.shown())


async def _list_batch(call: Call) -> Answer:
    """GET /vector_stores/{id}/file_batches/{batch}/files."""
    return _page(call, _batch(call).members)
