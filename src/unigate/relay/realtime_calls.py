"""`POST /v1/realtime/calls`: WebRTC, whose sound goes between caller and provider and never passes here.

So nothing of it can be charged, and it is refused with that reason, unless the operator lets the caller's group connect
directly: then offer and answer (SDP) pass as they are.
"""

from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qs

import msgspec

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadRequest, Forbidden, UpstreamError, UpstreamRefused
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.provider import Request
from unigate.spec.reply import Reply

_ERROR_LIMIT = 256 << 10
_PASSED = (b"location", b"content-type")


async def create(call: Call, svc: Services) -> Reply:
    """Pass an offer on. Forbidden where the caller's group may not; UpstreamRefused with what the provider refuses."""
    if call.key.group.name not in svc.settings.realtime.direct_groups:
        raise Forbidden(
            "WebRTC goes past this gateway, where nothing can be charged, and is not allowed for this key. "
            "Connect by WebSocket to /v1/realtime, with the key or with a client secret."
        )
    kind = call.x.header(b"content-type") or b""
    model = _model(call, kind)
    svc.keys.check(call.key, model, call.x.client, call.at, call.operation)
    failures: list[UpstreamError] = []
    for candidate in svc.router.routes(model, call.key.group.name, call.operation):
        if not candidate.take():
            continue
        try:
            return await _ask(call, svc, candidate, kind)
        except UpstreamError as failure:
            verdict = svc.router.failed(candidate, failure)
            if verdict.passes_through:
                raise
            failures.append(failure)
            # An offer that may have been taken is not made twice.
            if not verdict.try_next or (failure.sent and not isinstance(failure, UpstreamRefused)):
                break
        finally:
            candidate.done()
    raise final(failures)


async def _ask(call: Call, svc: Services, candidate: Candidate, kind: bytes) -> Reply:
    channel = candidate.route.channel
    endpoint, made = svc.upstreams.to(candidate, call.operation)
    kept = tuple(pair for pair in made.headers if pair[0] not in (b"content-type", b"accept"))
    target = made.target
    if kind.startswith(b"application/sdp"):
        target += f"{'&' if '?' in target else '?'}model={candidate.route.model}"
    request = Request(made.method, target, (*kept, (b"content-type", kind), (b"accept", b"application/sdp")))
    began = monotonic()
    answer = await svc.upstreams.client.send(
        endpoint, request, call.body, channel.timeouts, may_repeat=False, once=True
    )
    try:
        if not 200 <= answer.status < 300:
            status, told = channel.provider.adjust_error(answer.status, await answer.read(_ERROR_LIMIT))
            wait = read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms())
            raise UpstreamRefused(status, told, content_type=answer.header(b"content-type") or b"", retry_after=wait)
        body = await answer.read(svc.settings.relay.answer_bytes)
    except BaseException:
        answer.abort()
        raise
    svc.router.worked(candidate, monotonic() - began)
    headers = tuple((name, value) for name in _PASSED if (value := answer.header(name)) is not None)
    return Reply(body, answer.status, headers)


def _model(call: Call, kind: bytes) -> str:
    """The model that the session of an offer is for; BadRequest."""
    asked = parse_qs(call.x.query.decode("ascii", "replace"))
    if "model" in asked:
        return asked["model"][-1]
    head = b"content-type: " + kind + b"\r\n\r\n"
    form = BytesParser().parsebytes(head + call.body)
    for part in form.get_payload() if form.is_multipart() else ():
        if isinstance(part, Message) and part.get_param("name", header="content-disposition") == "session":
            found = _decoded(part.get_payload(decode=True))
            if isinstance(found, dict) and isinstance(found.get("model"), str):
                return str(found["model"])
    raise BadRequest("You must provide a model parameter.", param="session.model", code="missing_model")


def _decoded(data: object) -> object:
    try:
        found: object = msgspec.json.decode(data) if isinstance(data, bytes) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found
