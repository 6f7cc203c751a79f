"""Things that providers keep for a user (vector stores, conversations, containers, evals, fine-tuning jobs), and calls about them.

What a call makes is bound to its user, channel and credential before its caller hears the end of the reply; every later
call about it goes there. A thing of another user is as unknown as one that never was, and its id goes to no provider.
What is within such a thing (a file of a vector store, an item of a conversation) belongs to whoever has the thing.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import NoChannel, Unsupported, UpstreamError, UpstreamRefused
from unigate.base.money import format_usd
from unigate.dialects import openai_passed, private_usage
from unigate.relay import passing_asked, passing_bytes, passing_list, passing_words, tuned
from unigate.relay.attempts import ERROR_LIMIT, note
from unigate.relay.call import Call
from unigate.relay.passing_asked import Asked, Told
from unigate.relay.passing_money import Bill, bill
from unigate.relay.services import Services
from unigate.relay.task_wire import definite
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.binding import Binding
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Request
from unigate.spec.reply import Reply
from unigate.upstream import Answer

log: Any = structlog.get_logger("unigate.passing")
_GONE = 404
#: Statuses by which a provider may say that it does not know a file.
_UNKNOWN = frozenset({400, 404})
_JSON = (b"content-type", b"application/json")


async def passed(call: Call, svc: Services) -> Reply | None:
    """Serve a call: make a thing, list what the user has, or ask about one.

    Raises NotFound, BadRequest, InvalidJson, Forbidden, NoFunds, NoChannel, UpstreamRefused, and what `final` makes of failures.
    """
    operation = call.operation
    if "{id}" in operation.path:
        return await _about(call, svc)
    if operation.method == "POST":
        return await _create(call, svc)
    return await passing_list.listed(call, svc, _seen)


async def _create(call: Call, svc: Services) -> Reply | None:
    """Have a provider make a thing; where it may have been made, nobody else is asked."""
    asked = await passing_asked.read(call, svc)
    call.facts = Facts(model=asked.model)
    group = call.key.group.name
    if asked.place is not None:
        candidates = [_bound(call, svc, asked.place)]
    elif asked.model:
        candidates = svc.router.routes(asked.model, group, call.operation)
    else:
        candidates = svc.router.offering(group, call.operation)
    paid = await bill(call, svc)
    return await _to_its_end(svc, call, paid, _made(call, svc, asked, candidates, paid))


async def _to_its_end(svc: Services, call: Call, paid: Bill, work: Coroutine[Any, Any, Reply | None]) -> Reply | None:
    """What comes of a call that changes something: once it was sent, its caller may leave, and it goes on."""
    form, call.form = call.form, None

    def ended(error: BaseException | None) -> None:
        paid.release()
        if form is not None:
            form.close()
        if error is not None and paid.sent:
            name = call.operation.name
            log.warning("what a call has done is not known", request_id=call.id, operation=name, error=repr(error))

    return await svc.detached.run(work, may_stop=lambda: not paid.sent, ended=ended)


async def _made(call: Call, svc: Services, asked: Asked, candidates: Sequence[Candidate], paid: Bill) -> Reply:
    """The reply about a thing that was made, once it is the user's."""
    candidate, answer, body, told = await _first(call, svc, asked, candidates, paid)
    await _bind(call, svc, candidate, body)
    body = await passing_asked.shown(call.operation, svc, candidate, body, told.files)
    return await _replied(call, candidate, answer, body, paid)


async def _first(
    call: Call, svc: Services, asked: Asked, candidates: Sequence[Candidate], paid: Bill
) -> tuple[Candidate, Answer, bytes, Told]:
    """What the first provider says that makes the thing."""
    failures: list[UpstreamError] = []
    unsupported: Unsupported | None = None
    for candidate in candidates:
        if not candidate.take():
            continue
        began = monotonic()
        try:
            answer, told = await _sent(call, svc, candidate, "", asked=asked, paid=paid)
            return candidate, answer, await _told(call, svc, candidate, answer), told
        except Unsupported as error:  # nothing was sent
            unsupported = error
        except UpstreamError as failure:
            paid.sent = paid.sent and not definite(failure)
            verdict = svc.router.failed(candidate, failure)
            note(call, candidate, getattr(failure, "upstream_status", 0), failure.code, began)
            if verdict.passes_through:
                raise
            failures.append(failure)
            if not verdict.try_next or not definite(failure):
                break
            await asyncio.sleep(min(verdict.pause, svc.settings.relay.backoff_seconds))
        finally:
            candidate.done()
            call.upstream_seconds += monotonic() - began
    if unsupported is not None and not failures:
        raise unsupported
    raise final(failures)


async def _about(call: Call, svc: Services) -> Reply | None:
    """Ask the provider that knows a thing; what it deletes, or says is gone, is forgotten."""
    binding = await found(call, svc)
    asked = await passing_asked.read(call, svc)
    call.facts = Facts(model=binding.model)
    candidate = _bound(call, svc, binding)
    paid = await bill(call, svc)
    work = _asked(call, svc, binding, candidate, asked=asked, paid=paid)
    if call.operation.method != "GET":
        return await _to_its_end(svc, call, paid, work)
    try:
        return await work
    finally:  # whatever ended it, its caller's leaving too: what was not settled is given back
        paid.release()


def _bound(call: Call, svc: Services, place: Binding) -> Candidate:
    """Where a thing is kept; NoChannel, and Unsupported where the provider can't do what is asked."""
    candidate = svc.router.bound(place)
    if not candidate.route.channel.provider.serves(call.operation):
        raise Unsupported("This can't be done where it is kept.")
    return candidate


async def _asked(
    call: Call, svc: Services, binding: Binding, candidate: Candidate, *, asked: Asked, paid: Bill
) -> Reply | None:
    """What one provider says of a thing; None where the reply has gone out."""
    deletes = call.operation.method == "DELETE" and call.operation.path.endswith("{id}")
    if not candidate.take():
        raise NoChannel(retry_after=1.0)
    began = monotonic()
    try:
        answer, told = await _sent(call, svc, candidate, binding.upstream_id, asked=asked, paid=paid)
        if call.operation.answer == "bytes":
            svc.router.worked(candidate, monotonic() - began)
            await passing_bytes.passed_on(call, candidate, answer)
            return None
        body = await _told(call, svc, candidate, answer)
        call.upstream_seconds += monotonic() - began
        body = await passing_asked.shown(call.operation, svc, candidate, body, told.files)
        await tuned.keep(svc, call.operation, binding, body)
        await _bind(call, svc, candidate, body)
    except UpstreamError as failure:
        paid.sent = paid.sent and not definite(failure)
        verdict = svc.router.failed(candidate, failure)
        note(call, candidate, getattr(failure, "upstream_status", 0), failure.code, began)
        if deletes and isinstance(failure, UpstreamRefused) and failure.upstream_status == _GONE:
            await forget(svc, candidate, binding)
        if verdict.passes_through:
            raise
        raise final([failure]) from failure
    finally:
        candidate.done()
    if deletes:
        await svc.bindings.remove(binding)
    return await _replied(call, candidate, answer, body, paid)


async def _bind(call: Call, svc: Services, candidate: Candidate, body: bytes) -> None:
    """Bind what an answer names and later calls may; BadAnswer where that is somebody else's."""
    for made in passing_words.made(call.operation, body):
        await svc.bindings.keep(call, candidate, made.id, kind=made.kind)


async def found(call: Call, svc: Services) -> Binding:
    """What the caller's user has under the id in the path; NotFound."""
    id = passing_asked.thing_id(call)
    binding = await svc.bindings.find(call, id)
    if binding is None:
        raise passing_words.missing(call.operation, call.operation.binds, id)
    return binding


async def forget(svc: Services, candidate: Candidate, binding: Binding) -> None:
    """Forget what a provider says is not there; unless by another credential, which may be of another account."""
    if candidate.credential.id == binding.credential_id:
        await svc.bindings.remove(binding)


async def _seen(
    call: Call, svc: Services, operation: Operation, binding: Binding, candidate: Candidate
) -> bytes | None:
    """What the provider that knows a thing says of it, for a list; None where it knows none such.

    The candidate is taken, and given back here.
    """
    try:
        target, request = svc.upstreams.about(candidate, operation, binding.upstream_id, "")
        request = _with_headers(call, request)
        answer = await svc.upstreams.client.send(target, request, b"", candidate.route.channel.timeouts, once=True)
        return await _whole(svc, candidate, await _good(operation, candidate, answer))
    except UpstreamError as failure:
        verdict = svc.router.failed(candidate, failure)
        if isinstance(failure, UpstreamRefused) and failure.upstream_status == _GONE:
            return None
        if verdict.passes_through:
            raise
        raise final([failure]) from failure
    finally:
        candidate.done()


async def _sent(
    call: Call, svc: Services, candidate: Candidate, upstream_id: str, *, asked: Asked, paid: Bill
) -> tuple[Answer, Told]:
    """The beginning of a good answer, and what was sent: once more where the provider has lost a copy of a file."""
    told = await passing_asked.told(call, svc, asked, candidate)
    paid.sent = True
    try:
        return await _send(call, svc, candidate, upstream_id, told), told
    except UpstreamRefused as refused:
        if refused.upstream_status not in _UNKNOWN:
            raise
        if not await passing_asked.lost(svc, asked, told, candidate, refused.body):
            raise
    told = await passing_asked.told(call, svc, asked, candidate)
    return await _send(call, svc, candidate, upstream_id, told), told


async def _send(call: Call, svc: Services, candidate: Candidate, upstream_id: str, told: Told) -> Answer:
    """The beginning of a good answer; UpstreamError. What makes a thing is sent once, on a connection of its own."""
    operation = call.operation
    target, request = svc.upstreams.about(candidate, operation, upstream_id, told.query, told.places)
    request = _with_headers(call, request)
    if operation.answer == "bytes":
        request = passing_bytes.with_ranges(call, request)
    reads = operation.method == "GET"
    answer = await svc.upstreams.client.send(
        target, request, told.body, candidate.route.channel.timeouts, may_repeat=reads, fresh=not reads, once=True
    )
    try:
        return await _good(operation, candidate, answer)
    except UpstreamRefused as refused:
        for ours, theirs in told.files.items():
            refused.body = refused.body.replace(theirs.encode(), ours.encode())
        raise


async def _good(operation: Operation, candidate: Candidate, answer: Answer) -> Answer:
    """An answer whose status is good; UpstreamRefused."""
    if 200 <= answer.status < 300 or (operation.answer == "bytes" and answer.status in passing_bytes.OTHERS):
        return answer
    try:
        provider = candidate.route.channel.provider
        raise UpstreamRefused(
            *provider.adjust_error(answer.status, await answer.read(ERROR_LIMIT)),
            content_type=answer.header(b"content-type") or b"",
            retry_after=read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms()),
            aside=True,
        )
    finally:
        answer.abort()


async def _told(call: Call, svc: Services, candidate: Candidate, answer: Answer) -> bytes:
    """A good answer in the operation's own form. BadAnswer; UpstreamRefused for a refusal that came with a good status."""
    body = await _whole(svc, candidate, answer)
    translation = candidate.route.channel.provider.translations.get(call.operation.name)
    if translation is not None:
        body = translation.answer(body, call.body, call.id)
    passing_words.check(call.operation, body)
    return body


async def _whole(svc: Services, candidate: Candidate, answer: Answer) -> bytes:
    """A good answer, read whole."""
    try:
        body = await answer.read(svc.settings.relay.answer_bytes)
    except BaseException:
        answer.abort()
        raise
    svc.router.worked(candidate, answer.headers_at - answer.started)
    return private_usage.hidden(body, candidate.route.channel.provider.private_usage)


def _with_headers(call: Call, request: Request) -> Request:
    more = openai_passed.headers(call.operation.binds, tuple(call.x.headers))
    named = {name for name, _ in more}
    kept = tuple(pair for pair in request.headers if pair[0] not in named)
    return Request(request.method, request.target, kept + more, request.expires_at)


async def _replied(call: Call, candidate: Candidate, answer: Answer, body: bytes, paid: Bill) -> Reply:
    """The reply, once what it costs is settled; an answer that does not hold it yet costs nothing."""
    if not passing_words.delivers(call.operation, body):
        paid.release()
    body = passing_words.shown(call.operation, body)  # before it is charged: what can't be shown costs nothing
    cost = await paid.settled(candidate, answer.status)
    headers = [(b"content-type", answer.header(b"content-type") or _JSON[1])]
    if not call.operation.free:
        headers.append((b"x-unigate-cost", format_usd(cost).encode()))
    if call.key.role != "user":
        headers.append((b"x-unigate-channel", candidate.route.channel.name.encode()))
    return Reply(body, answer.status, tuple(headers))
