"""Realtime: `GET /v1/realtime` by WebSocket, and the secrets by which browsers open sessions."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, Schema, mapping, maybe, record, ref, text, whole

_SESSION = mapping(ANYTHING, "The session's configuration, as the provider takes it.")
_EXPIRES = maybe(
    record(
        {
            "anchor": text("From when it counts.", of=("created_at",)),
            "seconds": whole("How long it works.", low=10, high=7200),
        },
        "When the secret ends; after ten minutes where nothing is said.",
    )
)
_SECRET: Schema = record(
    {
        "value": text("The secret (`ek_...`). It works at this gateway's `/v1/realtime` only."),
        "expires_at": whole("Unix time in seconds."),
    },
    needs=("value", "expires_at"),
)
_BETA = record(
    {"client_secret": ref("RealtimeSecret"), "object": text("What it is.")},
    "The session, with the secret in it.",
    needs=("client_secret",),
)
_SHOWN = {"value": "ek_v1.0a1b.c2Vj", "expires_at": 1_780_000_000}
_KEY_IN_NAME = "A browser offers the subprotocols `realtime` and `openai-insecure-api-key.KEY` in place of the header."

PAGE = Page(
    title="Realtime",
    about="Speech and text in both directions while they are said, over WebSocket, event by event.",
    entries=(
        Entry(
            operation="openai.realtime",
            title="Open a realtime session",
            about="A WebSocket: the request is a handshake (`upgrade: websocket`). Events pass in both directions as they come. "
            "Each response is held for before it is made, and charged when it is done, as each transcription is; when the "
            f"balance ends, so does the session, with an `error` event (`insufficient_quota`) and close code 1008. {_KEY_IN_NAME}",
            query={
                "model": shared.MODEL,
                "intent": text("`transcription`: the session only writes down what is said.", of=("transcription",)),
            },
            headers={"openai-beta": text("`realtime=v1` for the events of the beta; passed on.")},
            examples=(Example(title="A session with a model", query={"model": "gpt-realtime"}),),
            status=101,
        ),
        Entry(
            operation="openai.realtime.client_secrets",
            title="Create a client secret",
            about="A short-lived secret for a browser, bound to the configuration of its session. Sessions that are opened by it "
            "are charged to the key that made it, and end with that key.",
            request=ref("RealtimeSecretRequest"),
            answer=ref("RealtimeSecretAnswer"),
            examples=(
                Example(
                    title="A secret for a session",
                    body={"session": {"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."}},
                ),
            ),
            shown={**_SHOWN, "session": {"type": "realtime", "model": "gpt-realtime"}},
        ),
        Entry(
            operation="openai.realtime.sessions",
            title="Create a session with a secret (beta)",
            about="The older form: the session's fields stand at the top, in request and answer.",
            request=ref("RealtimeBetaRequest"),
            answer=ref("RealtimeBetaAnswer"),
            examples=(Example(title="A session", body={"model": "gpt-realtime", "instructions": "Be brief."}),),
            shown={"object": "realtime.session", "client_secret": _SHOWN},
        ),
        Entry(
            operation="openai.realtime.transcription_sessions",
            title="Create a transcription session with a secret (beta)",
            about="The same for sessions that only write down what is said.",
            request=ref("RealtimeBetaRequest"),
            answer=ref("RealtimeBetaAnswer"),
            examples=(
                Example(
                    title="Write down what is said",
                    body={"input_audio_transcription": {"model": "gpt-realtime-whisper"}},
                ),
            ),
            shown={"object": "realtime.transcription_session", "client_secret": _SHOWN},
        ),
        Entry(
            operation="openai.realtime.calls",
            title="Connect by WebRTC",
            about="Takes an SDP offer. Its sound would go past the gateway, where nothing can be charged: so it is refused (403), "
            "unless the operator lets the caller's group connect directly.",
            request=record(
                {"sdp": text("The offer."), "session": text("The session's configuration, as JSON.")},
                "A form; a bare offer (`application/sdp`) is taken, too, with the model in the query.",
                needs=("sdp",),
            ),
            request_type="multipart/form-data",
            answer=text("The provider's SDP answer."),
            answer_type="application/sdp",
            shown="v=0",
            query={"model": shared.MODEL},
            examples=(
                Example(
                    title="An offer",
                    body={"sdp": "v=0", "session": '{"type": "realtime", "model": "gpt-realtime"}'},
                ),
            ),
            status=201,
        ),
    ),
    schemas={
        "RealtimeSecret": _SECRET,
        "RealtimeSecretRequest": record({"expires_after": _EXPIRES, "session": _SESSION}, needs=("session",)),
        "RealtimeSecretAnswer": record(
            {"value": text("The secret."), "expires_at": whole("Unix time in seconds."), "session": _SESSION},
            needs=("value", "expires_at", "session"),
        ),
        "RealtimeBetaRequest": record(
            {
                "model": shared.MODEL,
                "input_audio_transcription": maybe(mapping(ANYTHING, "By which model is written down.")),
            }
        ),
        "RealtimeBetaAnswer": _BETA,
    },
)
