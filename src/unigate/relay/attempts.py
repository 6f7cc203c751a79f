"""Trying routes until one answers: failover is possible until the first content has gone out, in streams too."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadAnswer, GatewayError, Unsupported, UpstreamError, UpstreamRefused
from unigate.base.money import format_usd
from unigate.dialects import FinishingDialect, RawDialect, RawWatcher, Watcher, private_usage, streams
from unigate.relay import chat_pictures, picture_links, references
from unigate.relay.call import Call
from unigate.relay.holding import Plan
from unigate.relay.outgoing import FormBody, spooled
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.channel import Channel
from unigate.spec.form import Form
from unigate.spec.provider import Translation
from unigate.spec.record import Attempt
from unigate.spec.usage import Usage
from unigate.upstream import Answer, Outgoing, Whole

#: An error's body is read as far as this.
ERROR_LIMIT = 256 * 1024
#: Opening events of a stream are kept back as far as this while the first content is awaited; bytes.
OPENING_LIMIT = 256 * 1024
#: Longer bodies are translated, and answers finished, beside the event loop; bytes.
CHANGED_HERE = 64 * 1024
_JSON = b"application/json"
P = ParamSpec("P")
T = TypeVar("T")


class Opened:
    """An answer that is good so far: whole with what was seen in it, or a stream up to its first content."""

    __slots__ = ("answer", "body", "candidate", "opening", "raw", "seen", "watch")

    def __init__(self, candidate: Candidate, answer: Answer) -> None:
        self.candidate = candidate
        self.answer = answer
        self.body = b""
        #: What the dialect's `read_answer` saw.
        self.seen: Any = None
        self.watch: Watcher | None = None
        #: The same where the answer is bytes that nobody but the caller understands.
        self.raw: RawWatcher | None = None
        #: Pieces of a stream that wait for its first content.
        self.opening: list[bytes] = []


def open_answer(call: Call, svc: Services, plan: Plan, candidates: list[Candidate]) -> Coroutine[Any, Any, Opened]:
    """The first good answer of the candidates, best first. Raises as `first_good`."""
    return first_good(call, svc, candidates, partial(_attempt, call, svc, plan))


async def first_good(
    call: Call, svc: Services, candidates: Sequence[Candidate], attempt: Callable[[Candidate], Awaitable[T]]
) -> T:
    """What the first candidate gives by which an attempt goes well; its place is the caller's to give back.

    Raises UpstreamRefused where the caller's own mistake is passed through, else what `final` makes of all failures;
    Unsupported where no candidate can be asked for this at all.
    """
    failures: list[UpstreamError] = []
    unsupported: Unsupported | None = None
    patience = svc.settings.relay.backoff_seconds
    left = svc.settings.relay.attempts
    for candidate in candidates:
        if not left or not candidate.take():
            continue
        left -= 1
        began = monotonic()
        try:
            good = await attempt(candidate)
        except UpstreamError as failure:
            call.upstream_seconds += monotonic() - began
            verdict = svc.router.failed(candidate, failure)
            status = failure.upstream_status if isinstance(failure, UpstreamRefused) else 0
            svc.metrics.failed(candidate.route.channel.name, str(status or failure.code))
            note(call, candidate, status, failure.code, began)
            if verdict.passes_through:
                raise
            failures.append(failure)
            if not verdict.try_next:
                break
            if verdict.pause and patience > 0:
                pause = min(verdict.pause, patience)
                patience -= pause
                await asyncio.sleep(pause)
                call.upstream_seconds += pause
        except Unsupported as error:  # nothing was sent
            candidate.done()
            unsupported = error
            left += 1
        except BaseException as error:
            candidate.done()
            if isinstance(error, asyncio.CancelledError):
                note(call, candidate, 0, "caller_left", began)
            elif isinstance(error, GatewayError):  # of our own store: the provider has answered
                note(call, candidate, 0, error.code, began)
            raise
        else:
            return good
    if unsupported is not None and not failures:
        raise unsupported
    raise final(failures)


def _attempt(call: Call, svc: Services, plan: Plan, candidate: Candidate) -> Coroutine[Any, Any, Opened]:
    """One try: the answer is read whole, or until its first content."""
    if call.named is None or not call.named.rows:
        return _sent(call, svc, plan, candidate)
    return references.with_copies(call, svc, candidate, partial(_sent, call, svc, plan, candidate))


async def _sent(call: Call, svc: Services, plan: Plan, candidate: Candidate) -> Opened:
    """One try, once all that it names is where it goes."""
    channel = candidate.route.channel
    provider = channel.provider
    refused = _refused(call, candidate) if call.facts.optional else ()
    edited = _edited(call, plan, candidate, refused)
    if call.named is not None and call.named.rows:
        edited = await beside(len(edited) + call.named.growth, references.put, edited, call.named)
    translation = provider.translations.get(call.operation.name)
    body: bytes | Outgoing
    if translation is None and call.operation.body == "json":
        body, ignored = provider.adjust_request(edited, channel.options)
    else:
        body, ignored = await _made(edited, call, svc, channel)
    ignored += refused
    endpoint, request = svc.upstreams.to(candidate, call.operation)
    began = monotonic()
    answer = await svc.upstreams.client.send(endpoint, request, body, channel.timeouts)
    try:
        if not 200 <= answer.status < 300:
            raise await _refusal(answer)
        opened = Opened(candidate, answer)
        passes = call.facts.stream or call.operation.answer == "bytes"
        if passes and (watch := _watch(call, plan, opened)) is not None:
            await _first_content(opened, watch)
        else:
            await _read(call, svc, opened, translation)
            if call.facts.stored and opened.seen.id:
                await svc.bindings.keep(call, candidate, opened.seen.id)
    except UpstreamRefused as refused:
        answer.abort()
        status, told = provider.adjust_error(refused.upstream_status, refused.body)
        raise UpstreamRefused(
            status, told, content_type=refused.content_type, retry_after=refused.retry_after
        ) from None
    except BaseException:
        answer.abort()
        raise
    seconds = monotonic() - began
    call.upstream_seconds += seconds
    if call.attempts:  # a first try that went well is told by the row itself
        call.attempts.append(Attempt(channel.id, candidate.credential.id, answer.status, "", int(seconds * 1000)))
    if ignored:
        call.marks.append((b"x-unigate-ignored", ", ".join(ignored).encode()))
    svc.router.worked(candidate, seconds)
    return opened


async def _made(asked: Any, call: Call, svc: Services, channel: Channel) -> tuple[bytes | Outgoing, tuple[str, ...]]:
    """The body for a provider that has the operation in a form of its own, or a form; and what was left out."""
    provider, options = channel.provider, channel.options
    if isinstance(asked, Form):
        form, ignored = provider.adjust_form(asked, options)
        return FormBody(form, spooled(svc.spool)), ignored
    body, ignored = provider.adjust_request(asked, options)
    translation = provider.translations.get(call.operation.name)
    if translation is not None:
        body, unsaid = await beside(len(body), translation.request, body, options)
        ignored += unsaid
    return Whole(body, _JSON) if call.operation.body == "form" else body, ignored


async def _read(call: Call, svc: Services, opened: Opened, translation: Translation | None) -> None:
    """Read an answer whole, into the dialect's form."""
    provider = opened.candidate.route.channel.provider
    body = await opened.answer.read(svc.settings.relay.answer_bytes)
    if translation is not None:
        body = await beside(len(body), translation.answer, body, call.body, call.id)
    if chat_pictures.MARK in body and call.operation.family == "chat":
        body = await chat_pictures.in_answer(call, svc, body)
    opened.seen = call.dialect.read_answer(body, provider)
    if provider.private_usage:
        body = private_usage.hidden(body, provider.private_usage)
    if call.facts.finish:
        body = await beside(len(body), cast(FinishingDialect, call.dialect).finish_answer, body)
    if call.named is not None or call.facts.containers:
        body = await references.told(call, svc, opened.candidate, body)
    if call.facts.links:
        body = await picture_links.linked(call, svc, body)
    opened.body = body


async def _refusal(answer: Answer) -> UpstreamRefused:
    """What the vendor says in place of an answer."""
    return UpstreamRefused(
        answer.status,
        await answer.read(ERROR_LIMIT),
        content_type=answer.header(b"content-type") or b"",
        retry_after=read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms()),
    )


def _refused(call: Call, candidate: Candidate) -> tuple[str, ...]:
    """Fields of the call that this provider refuses with this model, by whichever name it goes."""
    refused = candidate.route.channel.provider.refuses.get(call.operation.name)
    return refused.of(call.facts.optional, call.facts.model, candidate.route.model) if refused is not None else ()


def _edited(call: Call, plan: Plan, candidate: Candidate, drop: tuple[str, ...] = ()) -> Any:
    """The body as the provider gets it, bytes or a Form; mostly the caller's own."""
    facts, model = call.facts, candidate.route.model
    same = model == facts.model and not facts.stream and plan.lowered is None
    if same and not facts.include_cost and not drop:
        return call.form or call.body
    provider = candidate.route.channel.provider
    edits = call.dialect.Edits(
        model=model,
        ask_usage=facts.stream and provider.stream_options,
        output_limit=plan.lowered,
        limit_field=provider.limit_field,
    )
    if drop:
        edits.drop = drop
    return call.dialect.edit(call.asked, facts, edits)


async def beside(size: int, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a pure function makes of so many bytes: of many, beside the event loop."""
    if size <= CHANGED_HERE:
        return work(*args, **named)
    return await asyncio.to_thread(work, *args, **named)


def _watch(call: Call, plan: Plan, opened: Opened) -> Watcher | None:
    """What watches the answer while it goes to the caller; None where it is to be read whole."""
    spoken, provider = call.dialect, opened.candidate.route.channel.provider
    kind = opened.answer.header(b"content-type") or b""
    if call.facts.stream and kind.startswith(b"text/event-stream") and streams(spoken):

        def cost(usage: Usage) -> str:
            return format_usd(plan.quote.cost(usage, served_conditions(call, watch.service_tier))[0])

        watch = spoken.Watch(
            call.facts,
            provider,
            show_usage=call.facts.usage_in_stream,
            cost=cost if call.include_cost else None,
        )
        return watch
    if call.operation.answer == "bytes" and not kind.startswith(_JSON):
        opened.raw = cast(RawDialect, spoken).Raw(call.facts, provider, kind)
        return opened.raw
    return None


async def _first_content(opened: Opened, watch: Watcher) -> None:
    """Read a stream until its first content, or its end; what may go to the caller waits in `opened.opening`."""
    opened.watch = watch
    size = 0
    while not watch.content and not watch.done and size <= OPENING_LIMIT:
        piece = await opened.answer.piece()
        if piece is None:
            break
        if out := watch.feed(piece):
            opened.opening.append(out)
            size += len(out)
        if watch.error is not None and not watch.content:
            raise BadAnswer("The provider sent an error in its stream.", detail=watch.error.decode("utf-8", "replace"))


def served_conditions(call: Call, tier: str | None) -> dict[str, str | int]:
    """What price conditions may ask for, with the service tier that the provider says it served the call by."""
    if tier is not None:
        call.facts.conditions["service_tier"] = tier
    return call.facts.conditions


def note(call: Call, candidate: Candidate, status: int, code: str, began: float) -> None:
    """Write a try into the call's trail."""
    milliseconds = int((monotonic() - began) * 1000)
    call.attempts.append(Attempt(candidate.route.channel.id, candidate.credential.id, status, code, milliseconds))
