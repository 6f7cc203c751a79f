"""The operations of OpenAI's responses as handlers: create, and what comes back to a response that was kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from unigate.base import clock
from unigate.sandbox.forms import (
    checks,
    openai_request,
    outcome,
    platform_conversations,
    platform_files,
    responses_background,
    responses_containers,
    responses_items,
    responses_pictures,
    responses_request,
    responses_search,
)
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.forms.responses_hosted import Hosted
from unigate.sandbox.forms.responses_write import Writer, named, stream_error
from unigate.sandbox.serving.answer import Answer, Object, Stream, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route
from unigate.sandbox.serving.jobs import Job

_MOST_ITEMS = 100
_USUAL_ITEMS = 20


@dataclass(frozen=True, slots=True)
class _Kept:
    """A response with all items that it was made of, oldest first."""

    response: Object
    items: list[Object]
    #: Of one that is made in the background.
    job: Job | None = None

    @property
    def shown(self) -> Object:
        """The response as it is now."""
        return self.response if self.job is None else responses_background.shown(self.response, self.job)


def routes(manner: Manner, base: str = "/v1") -> tuple[Route, ...]:
    """All operations of responses below a face's base."""

    async def create(call: Call) -> Answer:
        """POST /responses."""
        return await _create(manner, call)

    one = f"{base}/responses/{{id}}"
    return (
        Route("POST", f"{base}/responses", create),
        Route("GET", one, _get),
        Route("DELETE", one, _delete),
        Route("POST", f"{one}/cancel", _cancel),
        Route("GET", f"{one}/input_items", _input_items),
    )


async def _create(manner: Manner, call: Call) -> Answer:
    body = openai_request.decode(call.body)
    model = _model(manner, body)
    conversation = platform_conversations.named(call, body)
    before = _before(call, body)
    known = [*before.items, *before.response["output"]] if before is not None else []
    if conversation is not None:
        known = conversation.items.all()
    now = clock.now_ms()
    name = named(call.number, now, call.body)
    given = responses_items.read(body.get("input"), name, known)
    items = [*known, *(item for item in given if item not in known)]
    turns = responses_items.turns(items, model, platform_files.library(call))
    searched = await responses_search.search(call, body, turns, name)
    ran = responses_containers.run(call, body, responses_search.heard(turns, searched), items, name)
    asked = responses_request.read(body, model, ran.turns)
    size = outcome.measure(asked.prompt, model)
    cached = call.world.prefixes.seen(f"{call.credential} {model.name}", size.pieces, *manner.cache)
    choices = outcome.answer(asked, empty="empty" in call.fault)
    result = outcome.Outcome(asked=asked, size=size, choices=choices, cached=cached)
    call.world.accounts.charge(call.credential, size.total, result.output)
    picture = await responses_pictures.drawn(call, body, turns, name)
    ran.settle()
    hosted = Hosted(searched=searched, ran=ran.item, picture=picture)
    writer = Writer(result, name, now // 1000, hosted, conversation.id if conversation else None)

    def keep(response: Object) -> None:
        if conversation is not None:
            conversation.add((*given, *response["output"]))
        if body.get("store") is not False:
            call.world.shelf.put(writer.id, call.credential, _Kept(response, items))

    common = {"usage": result.units(), "model": model.name, "pace": model.pace}
    if asked.stream:
        return Stream(events=writer.stream(keep), error=stream_error, **common)  # type: ignore[arg-type]
    whole = writer.whole()
    if body.get("background"):
        job = responses_background.begun(call, writer.id)
        if conversation is not None:
            conversation.add((*given, *whole["output"]))
        whole = _keep(call, _Kept(whole, items, job))
        await call.world.jobs.accepted(job)
    else:
        keep(whole)
    return Whole(payload=whole, indent=manner.indent, tokens=result.output, **common)  # type: ignore[arg-type]


def _keep(call: Call, kept: _Kept) -> Object:
    """Keep a response; as it is shown now."""
    call.world.shelf.put(kept.response["id"], call.credential, kept)
    return kept.shown


def _model(manner: Manner, body: Object) -> Model:
    name = checks.text(body, "model", "model", required=True)
    model = manner.models.find(name)
    if model is None:
        told = f"The requested model '{name}' does not exist."
        raise VendorError(400, told, param="model", code="model_not_found")
    return model


def _before(call: Call, body: Object) -> _Kept | None:
    """The response that this one goes on from."""
    identity = checks.text(body, "previous_response_id", "previous_response_id")
    if not identity:
        return None
    kept = call.world.shelf.get(identity, call.credential)
    if not isinstance(kept, _Kept) or kept.shown["status"] not in ("completed", "incomplete"):
        told = f"Previous response with id '{identity}' not found."
        raise checks.refuse(told, "previous_response_id", "previous_response_not_found")
    return kept


def _kept(call: Call) -> _Kept:
    identity = call.params["id"]
    kept = call.world.shelf.get(identity, call.credential)
    lost = isinstance(kept, _Kept) and kept.job and not call.world.jobs.poll(identity, call.credential, call.fault)
    if not isinstance(kept, _Kept) or lost:
        raise VendorError(404, f"Response with id '{identity}' not found.")
    return kept


async def _get(call: Call) -> Answer:
    """GET /responses/{id}."""
    kept = _kept(call)
    if call.query.get("stream") == "true":
        raise checks.refuse("The sandbox streams no response again.", "stream")
    return Whole(payload=kept.shown, indent=2)


async def _delete(call: Call) -> Answer:
    """DELETE /responses/{id}."""
    _kept(call)
    call.world.shelf.drop(call.params["id"])
    return Whole(payload={"id": call.params["id"], "object": "response", "deleted": True}, indent=2)


async def _cancel(call: Call) -> Answer:
    """POST /responses/{id}/cancel."""
    kept = _kept(call)
    if kept.job is None:
        raise VendorError(400, "Cannot cancel a synchronous response.")
    responses_background.cancel(kept.job)
    return Whole(payload=kept.shown, indent=2)


async def _input_items(call: Call) -> Answer:
    """GET /responses/{id}/input_items, the latest first unless asked otherwise."""
    items = _kept(call).items
    order = checks.one_of(call.query.get("order", "desc"), "order", ("asc", "desc"))
    asked = call.query.get("limit", str(_USUAL_ITEMS))
    if not asked.isdecimal() or not 1 <= int(asked) <= _MOST_ITEMS:
        raise checks.refuse(f"Invalid 'limit': expected a value from 1 to {_MOST_ITEMS}.", "limit", "invalid_value")
    listed = items if order == "asc" else items[::-1]
    after = call.query.get("after")
    if after is not None:
        listed = list(_behind(listed, after))
    page = listed[: int(asked)]
    return Whole(
        payload={
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(page) < len(listed),
        },
        indent=2,
    )


def _behind(items: list[Object], identity: str) -> Iterator[Object]:
    """The items behind the one of that id; none where it is not there."""
    found = False
    for item in items:
        if found:
            yield item
        found = found or item["id"] == identity
