"""Short-lived secrets of the realtime API, in today's form and the beta's, and WebRTC offers."""

import json

from unigate.base.clock import now_ms
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, realtime
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.realtime_config import Config
from unigate.sandbox.serving import multipart
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler, Route

_LEAST, _MOST, _USUAL = 10, 7200, 600


def routes(manner: Manner) -> tuple[Route, ...]:
    """All that is called once."""
    return (
        Route("POST", "/v1/realtime/client_secrets", _client_secrets(manner)),
        Route("POST", "/v1/realtime/sessions", _sessions(manner, writes=False)),
        Route("POST", "/v1/realtime/transcription_sessions", _sessions(manner, writes=True)),
        Route("POST", "/v1/realtime/calls", _calls(manner)),
    )


def _client_secrets(manner: Manner) -> Handler:
    async def handle(call: Call) -> Answer:
        """POST /realtime/client_secrets."""
        body = _decoded(call.body)
        session = checks.mapping(body.get("session") or {"type": "realtime"}, "session")
        writes = session.get("type") == "transcription"
        config = _config(manner, call, session, beta=False, writes=writes)
        after = checks.mapping(body.get("expires_after") or {}, "expires_after")
        seconds = checks.integer(after, "seconds", _LEAST, _MOST, "expires_after.seconds")
        value, ends = _secret(call), now_ms() // 1000 + (seconds or _USUAL)
        realtime.keep_secret(call.world, value, session)
        return Whole(payload={"value": value, "expires_at": ends, "session": {**config.shown(), "expires_at": 0}})

    return handle


def _sessions(manner: Manner, *, writes: bool) -> Handler:
    async def handle(call: Call) -> Answer:
        """POST /realtime/sessions and /realtime/transcription_sessions."""
        body = _decoded(call.body)
        config = _config(manner, call, body, beta=True, writes=writes)
        value, ends = _secret(call), now_ms() // 1000 + 60
        kind = "transcription" if writes else "realtime"
        kept = {"type": kind, "model": config.model, "audio": config.kept["audio"]}
        realtime.keep_secret(call.world, value, {**kept, "instructions": config.kept["instructions"]})
        return Whole(payload={**config.shown(), "client_secret": {"value": value, "expires_at": ends}})

    return handle


def _calls(manner: Manner) -> Handler:
    async def handle(call: Call) -> Answer:
        """POST /realtime/calls: an offer of WebRTC (SDP), which nobody here will ever send sound to."""
        kind = call.headers.get("content-type", "")
        session: Object = {"type": "realtime", "model": call.query.get("model", "gpt-realtime")}
        offer = call.body
        if kind.startswith("multipart/form-data"):
            try:
                parts = {part.name: part.data for part in multipart.read(call.body, kind)}
            except ValueError as error:
                raise VendorError(400, f"Could not read the form: {error}.") from None
            offer = parts.get("sdp", b"")
            session = _decoded(parts.get("session", b"{}"))
        if not offer.startswith(b"v=0"):
            raise VendorError(400, "Invalid SDP offer.", code="invalid_offer", param="sdp")
        _config(manner, call, session, beta=False, writes=False)
        lines = [
            "v=0",
            f"o=- {call.number} 1 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            "a=ice-lite",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        ]
        name = f"rtc_{seeds.letters(seeds.dice('call', call.number), 21)}"
        return Whole(
            payload="\r\n".join([*lines, "a=setup:active", ""]).encode(),
            status=201,
            headers=(("location", f"/v1/realtime/calls/{name}"),),
            media_type="application/sdp",
        )

    return handle


def _config(manner: Manner, call: Call, session: Object, *, beta: bool, writes: bool) -> Config:
    """The session as the vendor understands it; VendorError."""
    model = session.get("model") or ("gpt-4o-transcribe" if writes else "gpt-realtime")
    found = manner.models.find(str(model))
    if not writes and (found is None or (found.kind != "realtime" and found.owner != "sandbox")):
        raise manner.no_model(str(model))
    name = f"sess_{seeds.letters(seeds.dice('session', call.number), 21)}"
    config = Config(name, str(model), beta=beta, writes=writes)
    told = {key: value for key, value in session.items() if key != "client_secret"}
    config.update(told if beta else {"type": "realtime", **told})
    return config


def _secret(call: Call) -> str:
    return "ek_" + seeds.hexadecimal(seeds.dice("secret", call.number, now_ms()), 32)


def _decoded(data: bytes) -> Object:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        raise VendorError(400, "We could not parse the JSON body of your request.") from None
    return checks.mapping(found, "body")
