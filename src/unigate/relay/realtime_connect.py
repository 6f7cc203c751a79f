"""Opening a realtime session with a provider: routes are tried until one has accepted the upgrade."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import UpstreamRefused
from unigate.dialects.openai_realtime import BETA
from unigate.relay.attempts import first_good, note
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import read_retry_after
from unigate.spec.provider import Headers
from unigate.spec.shown_key import QUERIES
from unigate.upstream.websocket import NotUpgraded, VendorSocket, connect

#: Headers of the caller that the vendor is told, too.
PASSED = (b"openai-beta", b"openai-safety-identifier")


async def open_session(
    call: Call, svc: Services, candidates: Sequence[Candidate], secret: str | None
) -> tuple[Candidate, VendorSocket]:
    """The first route that accepts, and the WebSocket to it; its place is the caller's to give back.

    Raises as `first_good`.
    """

    async def attempt(candidate: Candidate) -> tuple[Candidate, VendorSocket]:
        began = monotonic()
        socket = await _attempt(call, svc, candidate, secret)
        call.upstream_seconds += monotonic() - began
        note(call, candidate, 101, "", began)
        svc.router.worked(candidate, monotonic() - began)
        return candidate, socket

    return await first_good(call, svc, candidates, attempt)


async def _attempt(call: Call, svc: Services, candidate: Candidate, secret: str | None) -> VendorSocket:
    """One try."""
    channel = candidate.route.channel
    endpoint, request = svc.upstreams.socket(candidate, call.operation, _query(call, candidate), _passed(call), secret)
    most = svc.settings.realtime.event_bytes
    try:
        return await connect(svc.upstreams.client, endpoint, request, channel.timeouts, subprotocols=(), most=most)
    except NotUpgraded as told:
        status, body = channel.provider.adjust_error(told.status, told.body)
        wait = read_retry_after(told.header("retry-after"), told.header("retry-after-ms"), now_ms())
        raise UpstreamRefused(status, body, content_type=told.header("content-type") or b"", retry_after=wait) from None


def _query(call: Call, candidate: Candidate) -> str:
    """The caller's query with the model's name at the vendor, and without the caller's key."""
    asked = parse_qsl(call.x.query.decode("ascii", "replace"), keep_blank_values=True)
    named = any(name == "model" for name, _ in asked)
    kept = [(name, value) for name, value in asked if name not in QUERIES and name != "model"]
    return urlencode([*([("model", candidate.route.model)] if named else []), *kept], quote_via=quote)


def _passed(call: Call) -> Headers:
    """What the caller says in headers, or in subprotocols since browsers have no headers."""
    found = [(name, value) for name in PASSED if (value := call.x.header(name))]
    offered = (call.x.header(b"sec-websocket-protocol") or b"").decode("latin-1")
    if not any(name == b"openai-beta" for name, _ in found) and BETA in [name.strip() for name in offered.split(",")]:
        found.append((b"openai-beta", b"realtime=v1"))
    return tuple(found)
