"""`GET /v1/realtime`: one session of a caller with a provider over WebSocket, paid response by response.

Until the provider has accepted, everything that goes wrong is an HTTP answer, and the next route can be tried. The session
counts as one call of its key while it lasts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

from unigate.base.errors import BadRequest, GatewayError, UpstreamRefused
from unigate.base.websocket import WebSocket
from unigate.dialects.openai_realtime_context import Context
from unigate.relay.call import Call
from unigate.relay.realtime_connect import open_session
from unigate.relay.realtime_money import STEP, Reach, Till
from unigate.relay.realtime_secrets import WRITER, Ephemeral
from unigate.relay.realtime_session import Ending, Session
from unigate.relay.services import Services
from unigate.relay.settling import NO_USAGE, record
from unigate.routing.choice import Candidate
from unigate.spec.caller import Key
from unigate.spec.facts import Facts

#: Answers a caller's handshake, whose connection is a WebSocket then.
Accept = Callable[[], WebSocket]
#: What is held for before anything was said.
FIRST = Reach(STEP, Context().units)


async def serve(
    call: Call,
    svc: Services,
    greet: Callable[[], Accept],
    known: Callable[[], Awaitable[Key | None]],
    ephemeral: Ephemeral | None = None,
) -> None:
    """Serve a session. `greet`: reads the caller's handshake, and gives what answers it; `known`: the key as it is now.

    Raises GatewayError where the handshake was not answered; everything set aside is given back then.
    """
    key, operation = call.key, call.operation
    svc.keys.check(key, None, call.x.client, call.at, operation)
    admission = svc.limits.admit(key, 0) or await svc.limits.take(key, 0)
    call.marks += admission.headers()
    candidate: Candidate | None = None
    try:
        accept = greet()
        call.facts = Facts(model=_model(call, ephemeral), stream=True)
        model = call.facts.model
        svc.keys.check(key, model, call.x.client, call.at, operation)
        if ephemeral is not None:
            candidates = [svc.router.bound(ephemeral.place(key.user_id))]
        else:
            candidates = svc.router.routes(model, key.group.name, operation)
        till = Till(call, svc, svc.prices.quote(operation.name, model, key.group, call.at), admission)
        try:
            await till.ready(FIRST)
            secret = ephemeral.secret if ephemeral is not None else None
            candidate, vendor = await open_session(call, svc, candidates, secret)
            till.candidate = candidate
            caller = _accepted(accept, vendor)
        except BaseException as error:
            _failed(call, svc, till, error)
            raise
        session = Session(call, svc, till, candidate, known)
        await _recorded(call, svc, candidate, session.run(caller, vendor))
    finally:
        if candidate is not None:
            candidate.done()
        admission.done(0)


def _accepted(accept: Accept, vendor: WebSocket) -> WebSocket:
    """The caller's side; where it can't be had, the provider's is given up."""
    try:
        return accept()
    except BaseException:
        vendor.abort()
        raise


async def _recorded(call: Call, svc: Services, candidate: Candidate, session: Coroutine[Any, Any, Ending]) -> None:
    """Run a session; it leaves a row of its own that costs nothing."""
    ending = Ending("failed", 0)
    try:
        ending = await session
    except asyncio.CancelledError:
        ending = Ending("caller_left", 0)
        raise
    finally:
        code = ending.error.code if ending.error is not None else ""
        row = record(call, None, candidate, NO_USAGE, end=ending.end, status=101, error=code)
        svc.ended(call, row, candidate)
        svc.bank.keep(row, _ignore)


def _model(call: Call, ephemeral: Ephemeral | None) -> str:
    """The model that the session is for; BadRequest."""
    asked = parse_qs(call.x.query.decode("ascii", "replace"))
    if "call_id" in asked:
        raise BadRequest("Calls of WebRTC and SIP are not served here, so there is none to attach to.", param="call_id")
    named = asked.get("model", [""])[-1]
    if ephemeral is not None:
        if named and named != ephemeral.model:
            raise BadRequest(f"This secret is for the model '{ephemeral.model}'.", param="model")
        return ephemeral.model
    if named:
        return named
    if asked.get("intent", [""])[-1] == "transcription":
        return WRITER
    raise BadRequest("You must provide a model parameter.", param="model", code="missing_model")


def _failed(call: Call, svc: Services, till: Till, error: BaseException) -> None:
    """Give everything back; a try at a provider leaves its trail, free of charge."""
    till.close("failed", lambda _: NO_USAGE, lambda _: NO_USAGE)
    if not call.attempts:
        return
    if isinstance(error, GatewayError):
        status = error.upstream_status if isinstance(error, UpstreamRefused) else error.status
        row = record(call, None, None, NO_USAGE, end="failed", status=status, error=error.code)
    elif isinstance(error, asyncio.CancelledError):
        row = record(call, None, None, NO_USAGE, end="caller_left", status=0)
    else:
        row = record(call, None, None, NO_USAGE, end="failed", status=500, error="internal_error")
    svc.ended(call, row, None)
    svc.bank.keep(row, _ignore)


def _ignore(kept: bool) -> None:
    """Nobody waits for it."""
