"""The operations of vector stores: the stores themselves and searches. Those of their files are in a module of their own."""

import asyncio
from collections.abc import Sequence

from unigate.base import clock
from unigate.sandbox.forms import checks, platform, platform_files, vector_request, vector_store
from unigate.sandbox.forms.vector_request import Wanted
from unigate.sandbox.forms.vector_store import Found, Store
from unigate.sandbox.serving.answer import Answer, Object
from unigate.sandbox.serving.face import Call, Route

_MOST_FILES = 500
_LONGEST_NAME = 256
_CREATED = ("name", "description", "file_ids", "expires_after", "chunking_strategy", "metadata")
_SEARCHED = ("query", "rewrite_query", "max_num_results", "filters", "ranking_options")


def routes() -> tuple[Route, ...]:
    """The operations of stores."""
    one = "/v1/vector_stores/{id}"
    return (
        Route("POST", "/v1/vector_stores", _create),
        Route("GET", "/v1/vector_stores", _list),
        Route("GET", one, _get),
        Route("POST", one, _update),
        Route("DELETE", one, _delete),
        Route("POST", f"{one}/search", _search),
    )


def store(call: Call, id: str | None = None) -> Store:
    """The store that a call names; the vendor's 404 where there is none."""
    id = call.params["id"] if id is None else platform.begins(id, "vector_store_ids", "vs_")
    kept = call.world.cabinet.of(Store, call.credential).get(platform.begins(id, "vector_store_id", "vs_"))
    return platform.found(kept, f"No vector store found with id '{id[:100]}'.")


async def searched(call: Call, stores: Sequence[Store], wanted: Wanted) -> list[Found]:
    """What is found in stores, which are in use by that."""
    among = []
    for one in stores:
        if one.expired:
            raise checks.refuse(f"Vector store '{one.id}' has expired.", None)
        one.active_ms = clock.now_ms()
        among += vector_store.members(call.world, call.credential, one)

    def find() -> list[Found]:
        return vector_store.search(wanted.queries, among, wanted.fits, most=wanted.most, least=wanted.least)

    return await asyncio.get_running_loop().run_in_executor(call.world.studio, find)


def _shown(call: Call, one: Store) -> Object:
    return one.shown(vector_store.members(call.world, call.credential, one))


async def _create(call: Call) -> Answer:
    """POST /vector_stores."""
    body = platform.body(call, _CREATED)
    ids = checks.listed(checks.given(body, "file_ids", []), "file_ids", "strings", most=_MOST_FILES)
    uploads = [platform_files.needed(call, str(id), "file_ids") for id in ids]
    cut = vector_request.chunking(body.get("chunking_strategy"))
    name = checks.text(body, "name", "name")
    made = Store(
        id=platform.hex_id("vs_", 32),
        name=platform.longest(name, "name", _LONGEST_NAME) or None,
        description=checks.text(body, "description", "description") or None,
        metadata=platform.metadata(body.get("metadata")),
        days=vector_request.days(body.get("expires_after")),
    )
    for upload in uploads:
        vector_store.add(call, made, upload, cut, {})
    call.world.cabinet.of(Store, call.credential).put(made.id, made)
    return platform.answer(_shown(call, made))


async def _list(call: Call) -> Answer:
    """GET /vector_stores."""
    kept = call.world.cabinet.of(Store, call.credential).all()
    return platform.answer(platform.page(call, [_shown(call, one) for one in kept]))


async def _get(call: Call) -> Answer:
    """GET /vector_stores/{id}."""
    return platform.answer(_shown(call, store(call)))


async def _update(call: Call) -> Answer:
    """POST /vector_stores/{id}."""
    one = store(call)
    body = platform.body(call, ("name", "expires_after", "metadata"))
    name = platform.longest(checks.text(body, "name", "name"), "name", _LONGEST_NAME)
    days = vector_request.days(body.get("expires_after"))
    pairs = platform.metadata(body.get("metadata"))
    if body.get("name") is not None:
        one.name = name
    if "expires_after" in body:
        one.days = days
    if body.get("metadata") is not None:
        one.metadata = pairs
    return platform.answer(_shown(call, one))


async def _delete(call: Call) -> Answer:
    """DELETE /vector_stores/{id}."""
    one = store(call)
    call.world.cabinet.of(Store, call.credential).drop(one.id)
    return platform.answer({"id": one.id, "object": "vector_store.deleted", "deleted": True})


async def _search(call: Call) -> Answer:
    """POST /vector_stores/{id}/search."""
    one = store(call)
    body = platform.body(call, _SEARCHED)
    queries = vector_request.queries(body.get("query"))
    checks.flag(body, "rewrite_query")
    found = await searched(call, [one], vector_request.wanted(body, queries))
    rows = [
        {
            "file_id": hit.member.upload.id,
            "filename": hit.member.upload.filename,
            "score": hit.score,
            "attributes": hit.member.attributes,
            "content": [{"type": "text", "text": hit.text}],
        }
        for hit in found
    ]
    return platform.answer(
        {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": rows,
            "has_more": False,
            "next_page": None,
        }
    )
