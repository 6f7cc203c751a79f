"""The hot path: carry one caller's call to a provider and its answer back, billed exactly once."""

import asyncio
from collections.abc import Awaitable

from unigate.access.limits import UNLIMITED
from unigate.base.errors import GatewayError, StoreUnavailable, UpstreamRefused
from unigate.base.money import format_usd
from unigate.dialects import Dialect, meters
from unigate.relay import background, chat_by_pictures, chat_pictures, pictures, references, tuned
from unigate.relay.attempts import Opened, beside, open_answer, served_conditions
from unigate.relay.call import Call
from unigate.relay.holding import Plan, plan
from unigate.relay.services import Services
from unigate.relay.settling import NO_USAGE, headers, record, used
from unigate.relay.streaming import Stream
from unigate.routing.choice import Candidate
from unigate.spec.reply import Pieces, Reply

_JSON_TYPE = (b"content-type", b"application/json")
#: Families whose answers may hold pictures.
_DRAW = frozenset({"chat", "responses"})


async def relay(call: Call, dialect: Dialect, svc: Services) -> Reply | Pieces | None:
    """Serve a call that costs: read, admit, choose, hold, send, watch, settle. What is left to be sent, if anything.

    Raises GatewayError where nothing has been sent to the caller; everything set aside is given back then.
    """
    call.dialect = dialect
    asked = call.form or call.body
    facts = call.facts = await beside(len(call.body), dialect.read, asked)
    if (other := _other_way(call, svc)) is not None:
        return await other
    call.include_cost = facts.include_cost or call.x.header(b"x-unigate-include") == b"cost"
    key, operation = call.key, call.operation
    svc.keys.check(key, facts.model, call.x.client, call.at, operation)
    if call.form is not None and meters(dialect):
        await svc.spool.run(dialect.measure, call.form, facts)
    tokens = call.input_tokens = dialect.input_bound(asked, facts)
    admission = svc.limits.admit(key, tokens) or await svc.limits.take(key, tokens)
    try:
        if admission is not UNLIMITED:
            call.marks += admission.headers()
        if facts.kept:
            candidates = await _kept_candidates(call, svc)
        else:
            candidates = svc.router.routes(facts.model, key.group.name, operation)
        quote = svc.prices.quote(operation.name, facts.model, key.group, call.at, call.discount)
        facts.charged = quote.charged
        if quote.pictures and operation.family in _DRAW:
            chat_pictures.expect(call)
        made = plan(call, svc.bank, quote, svc.models.get(facts.model), svc.settings.hold.output_tokens)
        if not isinstance(made, Plan):
            made = await made
        try:
            opened = await open_answer(call, svc, made, candidates)
        except BaseException as error:
            _failed(call, svc, made, error)
            raise
        try:
            if opened.watch is not None:
                await Stream(call, svc, made, opened).run()
            else:
                _whole(call, svc, made, opened)
        finally:
            opened.candidate.done()
    finally:
        admission.done(call.usage.tokens if call.usage is not None and key.tpm else 0)
    return None


async def _kept_candidates(call: Call, svc: Services) -> list[Candidate]:
    """Where a call may go that names kept things, best first. NotFound, BadRequest, and what the router raises."""
    facts, group = call.facts, call.key.group.name
    place = await background.place(call, svc)
    if place is not None:
        return tuned.candidates(call, svc, place, facts.model)
    candidates = svc.router.routes(facts.model, group, call.operation)
    return candidates if call.named is None else await references.best_first(svc, call.named, candidates)


def _other_way(call: Call, svc: Services) -> Awaitable[Reply | Pieces | None] | None:
    """How a call is served that is not answered by a provider at once; None where it is."""
    facts = call.facts
    if facts.background:
        return background.begin(call, svc)
    if facts.pictures and pictures.by_tasks(call, svc):
        return pictures.instead(call, svc)
    if call.operation.family == "chat" and chat_by_pictures.due(call, svc):
        return chat_by_pictures.answer(call, svc, relay)
    return None


def _whole(call: Call, svc: Services, made: Plan, opened: Opened) -> None:
    """Settle an answer that was read whole and send it once its record is kept."""
    seen = opened.seen
    served_conditions(call, seen.service_tier)
    if call.facts.pictures:
        call.facts.conditions.update(seen.conditions)
    usage = NO_USAGE if seen.empty else used(call, seen.usage, seen)
    if call.pictures is not None:
        call.pictures.answer(opened.body)
        usage = chat_pictures.with_pictures(call, usage)
    answer = opened.answer
    row = record(call, made, opened.candidate, usage, end="empty" if seen.empty else "completed", status=answer.status)
    svc.ended(call, row, opened.candidate)
    body = opened.body
    if call.include_cost:
        body = call.dialect.add_cost(body, format_usd(row.cost), usage)
    head = headers(call, opened.candidate, answer.header(b"content-type") or b"application/json", row.cost)
    x = call.x

    def reply(kept: bool) -> None:
        if kept:
            x.reply(answer.status, head, body)
            if call.keep_days:
                svc.keeper.keep(call, answer.status, body)
        else:
            error = StoreUnavailable()
            told = [_JSON_TYPE, (b"x-request-id", call.id.encode()), (b"retry-after", b"1"), *call.marks]
            x.reply(error.status, told, call.dialect.write_error(error, call.id))

    x.promised = True
    made.hold.settle(row, reply)


def _failed(call: Call, svc: Services, made: Plan, error: BaseException) -> None:
    """Give everything back; a call that reached a provider leaves its trail, free of charge."""
    if not call.attempts:
        made.hold.release()
        return
    if isinstance(error, GatewayError):
        status = error.upstream_status if isinstance(error, UpstreamRefused) else error.status
        row = record(call, None, None, NO_USAGE, end="failed", status=status, error=error.code)
    elif isinstance(error, asyncio.CancelledError):
        row = record(call, None, None, NO_USAGE, end="caller_left", status=0)
    else:
        row = record(call, None, None, NO_USAGE, end="failed", status=500, error="internal_error")
    svc.ended(call, row, None)
    made.hold.settle(row, _ignore)


def _ignore(kept: bool) -> None:
    """The caller learns of the failure whether or not its trail could be kept."""
