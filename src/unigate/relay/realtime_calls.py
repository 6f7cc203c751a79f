"""`POST /v1/realtime/calls`: WebRTC, whose sound goes between caller and provider and never passes here.

So nothing of it can be charged, and it is refused with that reason, unless the operator lets the caller's group connect
directly: then offer and answer (SDP) pass as they are.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadRequest, Forbidden, UpstreamError, UpstreamRefused
from unigate.relay.call import Call
from unigate.relay.offer_form import BLANK, boundary_of, split
from unigate.relay.realtime_secrets import writer_in
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.routing.plans import upstream_name
from unigate.spec.provider import Request
from unigate.spec.reply import Reply

_ERROR_LIMIT = 256 << 10
_PASSED = (b"location", b"content-type")
_LINE = b"\r\n"


async def create(call: Call, svc: Services) -> Reply:
    """Pass an offer on. Forbidden where the caller's group may not; UpstreamRefused with what the provider refuses."""
    if call.key.group.name not in svc.settings.realtime.direct_groups:
        raise Forbidden(
            "WebRTC goes past this gateway, where nothing can be charged, and is not allowed for this key. "
            "Connect by WebSocket to /v1/realtime, with the key or with a client secret."
        )
    offer = _read(call)
    for name in offer.models:
        svc.keys.check(call.key, name, call.x.client, call.at, call.operation)
    failures: list[UpstreamError] = []
    for candidate in svc.router.routes(offer.model, call.key.group.name, call.operation):
        if not candidate.take():
            continue
        try:
            return await _ask(call, svc, candidate, offer)
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


async def _ask(call: Call, svc: Services, candidate: Candidate, offer: "_Offer") -> Reply:
    channel = candidate.route.channel
    endpoint, made = svc.upstreams.to(candidate, call.operation)
    kept = tuple(pair for pair in made.headers if pair[0] not in (b"content-type", b"accept"))
    target, body = made.target, offer.body(candidate)
    if offer.session is None:
        target += f"{'&' if '?' in target else '?'}model={quote(candidate.route.model)}"
    head = (*kept, (b"content-type", offer.kind), (b"accept", b"application/sdp"))
    request = Request(made.method, target, head)
    began = monotonic()
    answer = await svc.upstreams.client.send(endpoint, request, body, channel.timeouts, may_repeat=False, once=True)
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


@dataclass(frozen=True, slots=True)
class _Offer:
    """An offer as it came, and the session that stands in its form."""

    kind: bytes
    model: str
    #: The form's parts, each with its headers; of what has no session the only one.
    parts: Sequence[bytes]
    delimiter: bytes = b""
    #: The part that says how the session is to be, and what it says; None where nothing does.
    place: int = 0
    session: Mapping[str, Any] | None = None

    @property
    def models(self) -> set[str]:
        """All models that it names."""
        writer = writer_in(self.session) if self.session is not None else None
        return {self.model, writer["model"]} if writer is not None else {self.model}

    def body(self, candidate: Candidate) -> bytes:
        """It with the models by their names at the vendor."""
        if self.session is None:
            return self.parts[0]
        session = {**deepcopy(self.session), "model": candidate.route.model}
        writer = writer_in(session)
        if writer is not None:
            heard = writer["model"]
            writer["model"] = upstream_name(candidate.route.channel.models, heard) or heard
        head, _, _ = self.parts[self.place].partition(BLANK)
        parts = list(self.parts)
        parts[self.place] = head + BLANK + msgspec.json.encode(session)
        return self.delimiter.join(parts).removeprefix(_LINE)


def _read(call: Call) -> _Offer:
    """The offer of a call; BadRequest. Of a form the session's own words count, as they do for the vendor."""
    kind = call.x.header(b"content-type") or b""
    named = parse_qs(call.x.query.decode("ascii", "replace")).get("model", [""])[-1]
    boundary = boundary_of(kind)
    if boundary is None:
        return _Offer(kind, _known(named), [call.body])
    delimiter, found = split(call.body, boundary)
    parts = [part for _, part in found]
    places = [place for place, (name, _) in enumerate(found) if name == "session"]
    if len(places) > 1:
        raise BadRequest("The form has more than one 'session'.", param="session")
    if not places:
        return _Offer(kind, _known(named), [call.body])
    session = _decoded(parts[places[0]].partition(BLANK)[2])
    if session is None:
        raise BadRequest("The 'session' is not a JSON object.", param="session")
    model = session.get("model") or named
    return _Offer(kind, _known(model), parts, delimiter, places[0], session)


def _known(model: object) -> str:
    if not isinstance(model, str) or not model:
        raise BadRequest("You must provide a model parameter.", param="session.model", code="missing_model")
    return model


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        found: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
