"""OpenAI's realtime API: events in both directions of a WebSocket, and the short-lived secrets by which browsers connect.

Events pass as they came. Here is what is read of them (`openai_realtime_events.py`), what is written by us, and where it is
called. https://platform.openai.com/docs/api-reference/realtime
"""

import msgspec

from unigate.base.errors import GatewayError
from unigate.dialects.openai_errors import VendorError, error_object, pass_error, read_error, write_error
from unigate.spec.operation import Operation

__all__ = ["OPERATIONS", "VendorError", "error_event", "pass_error", "read_error", "write_error"]

_NAME, _FAMILY = "openai_realtime", "realtime"


def _made(name: str, path: str, use: str) -> Operation:
    """An operation beside the WebSocket: called once, free of charge."""
    return Operation(
        name=f"openai.realtime.{name}",
        method="POST",
        path=f"/v1{path}",
        dialect=_NAME,
        family=_FAMILY,
        use=use,
        free=True,
        body="raw" if name == "calls" else "json",
        body_bytes=1 << 20,
        upstream_path=path,
    )


OPERATIONS = (
    Operation(
        name="openai.realtime",
        method="GET",
        path="/v1/realtime",
        dialect=_NAME,
        family=_FAMILY,
        use="realtime",
        upstream_path="/realtime",
    ),
    _made("client_secrets", "/realtime/client_secrets", "realtime_secret"),
    _made("sessions", "/realtime/sessions", "realtime_secret"),
    _made("transcription_sessions", "/realtime/transcription_sessions", "realtime_secret"),
    _made("calls", "/realtime/calls", "realtime_call"),
)
#: The subprotocol that browsers offer, and the beginnings of those by which they say what has no header there.
SUBPROTOCOL = "realtime"
KEY_PREFIX, BETA = "openai-insecure-api-key.", "openai-beta.realtime-v1"


def error_event(error: GatewayError, request_id: str, name: str, about: object = None) -> bytes:
    """An error as an event of that name; `about`: the id of the caller's event that it is about."""
    told = error_object(error, request_id)
    return msgspec.json.encode(
        {
            "type": "error",
            "event_id": name,
            "error": {**told, "event_id": about if isinstance(about, str) else None},
        }
    )


def cancel_event(response_id: str) -> bytes:
    """What stops a response that nobody listens to any more."""
    return msgspec.json.encode({"type": "response.cancel", "response_id": response_id})
