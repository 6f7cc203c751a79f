"""Calls about a thing that a provider keeps: they go to the channel and credential that know it, and nowhere else.

No hold, no price; the provider's answer passes through. A thing of another user is as unknown as one that never was.
"""

from functools import partial
from urllib.parse import unquote

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import NoChannel, NotFound, UpstreamError, UpstreamRefused
from unigate.dialects import private_usage
from unigate.relay import background, references
from unigate.relay.attempts import ERROR_LIMIT
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.binding import Binding
from unigate.spec.reply import Reply
from unigate.spec.shown_key import query_without_key
from unigate.upstream import Answer

_GONE = 404


async def bound(call: Call, svc: Services) -> Reply:
    """What the provider answers. Raises NotFound, NoChannel, UpstreamRefused, and what `final` makes of a failure.

    What was made in the background is a task of ours, and mostly answered by us.
    """
    public_id = unquote(call.params["id"])
    if (task := await background.made_here(call, svc, public_id)) is not None:
        return await background.about(call, svc, task, partial(_asked, call, svc))
    binding = await svc.bindings.find(call, public_id)
    if binding is None:
        raise NotFound(f"{call.operation.binds.capitalize()} with id '{public_id}' not found.")
    return await _asked(call, svc, binding)


async def _asked(call: Call, svc: Services, binding: Binding) -> Reply:
    """What the provider that knows a thing says; what it deletes, or says is gone, is forgotten."""
    candidate = svc.router.bound(binding)
    if not candidate.take():
        raise NoChannel(retry_after=1.0)
    deletes = call.operation.method == "DELETE"
    try:
        answer, body = await _ask(call, svc, candidate, binding.upstream_id)
    except UpstreamError as failure:
        verdict = svc.router.failed(candidate, failure)
        if deletes and isinstance(failure, UpstreamRefused) and failure.upstream_status == _GONE:
            await svc.bindings.remove(binding)
        if verdict.passes_through:
            raise
        raise final([failure]) from failure
    finally:
        candidate.done()
    if deletes:
        await svc.bindings.remove(binding)
    body = await references.answered(body, candidate, svc)
    return Reply(body, answer.status, ((b"content-type", answer.header(b"content-type") or b"application/json"),))


async def _ask(call: Call, svc: Services, candidate: Candidate, upstream_id: str) -> tuple[Answer, bytes]:
    """The provider's answer, read whole."""
    channel = candidate.route.channel
    endpoint, request = svc.upstreams.about(candidate, call.operation, upstream_id, query_without_key(call.x.query))
    began = monotonic()
    answer = await svc.upstreams.client.send(
        endpoint, request, b"", channel.timeouts, may_repeat=call.operation.method == "GET"
    )
    try:
        if not 200 <= answer.status < 300:
            raise UpstreamRefused(
                *channel.provider.adjust_error(answer.status, await answer.read(ERROR_LIMIT)),
                retry_after=read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms()),
            )
        body = await answer.read(svc.settings.relay.answer_bytes)
    except BaseException:
        answer.abort()
        raise
    svc.router.worked(candidate, monotonic() - began)
    return answer, private_usage.hidden(body, channel.provider.private_usage)
