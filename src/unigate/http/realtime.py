"""The caller's side of `GET /v1/realtime`: where browsers put their key, and the handshake.

A browser's WebSocket has no headers, so its key comes as the name of a subprotocol. It must not know what a session costs.
"""

from collections.abc import Awaitable, Callable

from unigate.base.clock import now_ms
from unigate.base.errors import InvalidKey
from unigate.dialects.openai_realtime import KEY_PREFIX, SUBPROTOCOL
from unigate.http.exchange import Exchange
from unigate.http.presented import presented_key
from unigate.http.upgrade import Handshake
from unigate.relay import realtime
from unigate.relay.call import Call
from unigate.relay.realtime_secrets import PREFIX, Ephemeral, opened
from unigate.relay.services import Services
from unigate.spec.caller import Key
from unigate.spec.operation import Operation


class Opening:
    """A caller who wants a session, known by key or by a short-lived secret."""

    def __init__(self, key: Key, ephemeral: Ephemeral | None, known: Callable[[], Awaitable[Key | None]]) -> None:
        self.key = key
        self.ephemeral = ephemeral
        #: The key as it is whenever this is called.
        self.known = known


async def opening(x: Exchange, svc: Services) -> Opening:
    """Who calls. InvalidKey, StoreUnavailable."""
    presented = presented_key(x) or _offered_key(x)
    if presented is None:
        raise InvalidKey("You didn't provide an API key. Send it as a header: Authorization: Bearer YOUR_KEY.")
    keys = svc.keys
    if presented.startswith(PREFIX.encode()):
        ephemeral = opened(keys.vault, presented.decode("latin-1"), now_ms())

        async def by_id() -> Key | None:
            return await keys.named(ephemeral.key)

        key = await by_id()
        known: Callable[[], Awaitable[Key | None]] = by_id
    else:
        ephemeral = None
        secret = presented

        async def by_secret() -> Key | None:
            return keys.find(secret) or await keys.load(secret)

        key = await by_secret()
        known = by_secret
    if key is None:
        raise InvalidKey
    return Opening(key, ephemeral, known)


async def serve(x: Exchange, request_id: str, operation: Operation, found: Opening, svc: Services) -> None:
    """Serve a session. UpgradeRequired, BadRequest for what is no handshake; else as the relay's use case."""
    call = Call(x, request_id, operation, found.key, now_ms())

    def greet() -> realtime.Accept:
        shake = Handshake(x, subprotocols=(SUBPROTOCOL,), most=svc.settings.realtime.event_bytes)
        return lambda: shake.accept([(b"x-request-id", request_id.encode()), *call.marks])

    await realtime.serve(call, svc, greet, found.known, found.ephemeral)


def _offered_key(x: Exchange) -> bytes | None:
    """The key among the subprotocols that are offered; None where there is none."""
    for name in (x.header(b"sec-websocket-protocol") or b"").split(b","):
        if name.strip().startswith(KEY_PREFIX.encode()):
            return name.strip().removeprefix(KEY_PREFIX.encode()) or None
    return None
