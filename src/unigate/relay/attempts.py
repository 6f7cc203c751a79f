"""Trying routes until one answers: failover is possible until the first content has gone out, in streams too."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadAnswer, UpstreamError, UpstreamRefused
from unigate.base.money import format_usd
from unigate.dialects import Watcher
from unigate.relay.call import Call
from unigate.relay.holding import Plan
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.record import Attempt
from unigate.upstream import Answer

#: An error's body is read as far as this.
ERROR_LIMIT = 256 * 1024
#: Opening events of a stream are kept back as far as this while the first content is awaited; bytes.
OPENING_LIMIT = 256 * 1024


@dataclass(slots=True)
class Opened:
    """An answer that is good so far: whole with what was seen in it, or a stream up to its first content."""

    candidate: Candidate
    answer: Answer
    body: bytes = b""
    #: What the dialect's `read_answer` saw.
    seen: Any = None
    watch: Watcher | None = None
    #: Pieces of a stream that wait for its first content.
    opening: list[bytes] = field(default_factory=list)


async def open_answer(call: Call, svc: Services, plan: Plan, candidates: list[Candidate]) -> Opened:
    """The first good answer of the candidates, best first.

    Raises UpstreamRefused where the caller's own mistake is passed through, else what `final` makes of all failures.
    """
    failures: list[UpstreamError] = []
    patience = svc.settings.relay.backoff_seconds
    left = svc.settings.relay.attempts
    for candidate in candidates:
        if not left or not candidate.take():
            continue
        left -= 1
        began = monotonic()
        try:
            opened = await _attempt(call, svc, plan, candidate)
        except UpstreamError as failure:
            call.upstream_seconds += monotonic() - began
            verdict = svc.router.failed(candidate, failure)
            _note(call, svc, candidate, failure, began)
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
        except BaseException:
            candidate.done()
            raise
        else:
            return opened
    raise final(failures)


async def _attempt(call: Call, svc: Services, plan: Plan, candidate: Candidate) -> Opened:
    """One try: the answer is read whole, or until its first content."""
    facts = call.facts
    provider = candidate.route.channel.provider
    edits = call.dialect.Edits(
        model=candidate.route.model,
        ask_usage=facts.stream and provider.stream_options,
        output_limit=plan.lowered,
        limit_field=provider.limit_field,
    )
    body, ignored = provider.adjust_request(call.dialect.edit(call.body, facts, edits), candidate.route.channel.options)
    began = monotonic()
    answer = await svc.upstreams.send(candidate, call.operation, body)
    try:
        if not 200 <= answer.status < 300:
            raise UpstreamRefused(
                answer.status,
                await answer.read(ERROR_LIMIT),
                content_type=answer.header(b"content-type") or b"",
                retry_after=read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms()),
            )
        opened = Opened(candidate, answer)
        if facts.stream and (answer.header(b"content-type") or b"").startswith(b"text/event-stream"):
            await _first_content(call, svc, plan, opened)
        else:
            opened.body = await answer.read(svc.settings.relay.answer_bytes)
            opened.seen = call.dialect.read_answer(opened.body, provider)
    except BaseException:
        answer.abort()
        raise
    seconds = monotonic() - began
    call.upstream_seconds += seconds
    call.attempts.append(
        Attempt(candidate.route.channel.id, candidate.credential.id, answer.status, "", int(seconds * 1000))
    )
    if ignored:
        call.marks.append((b"x-unigate-ignored", ", ".join(ignored).encode()))
    svc.router.worked(candidate, seconds)
    return opened


async def _first_content(call: Call, svc: Services, plan: Plan, opened: Opened) -> None:
    """Read a stream until its first content, or its end; what may go to the caller waits in `opened.opening`."""
    quote, conditions = plan.quote, call.facts.conditions
    watch = opened.watch = call.dialect.Watch(
        call.facts,
        opened.candidate.route.channel.provider,
        show_usage=call.facts.usage_in_stream,
        cost=(lambda usage: format_usd(quote.cost(usage, conditions)[0])) if call.include_cost else None,
    )
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


def _note(call: Call, svc: Services, candidate: Candidate, failure: UpstreamError, began: float) -> None:
    """Write a failed try into the call's trail."""
    status = failure.upstream_status if isinstance(failure, UpstreamRefused) else 0
    channel = candidate.route.channel
    call.attempts.append(
        Attempt(channel.id, candidate.credential.id, status, failure.code, int((monotonic() - began) * 1000))
    )
    svc.metrics.failed(channel.name, str(status or failure.code))
