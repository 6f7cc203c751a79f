"""Speech: `POST /v1/audio/speech`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, either, maybe, number, only, record, ref, text

_REQUEST = record(
    {
        "model": shared.MODEL,
        "input": text("What is to be said. OpenAI takes up to 4096 characters."),
        "voice": either(
            text(least=1),
            record({"id": text(least=1)}, needs=("id",)),
            about="The name of a voice of the provider's, or a voice of one's own.",
        ),
        "instructions": maybe(text("How it is to be said; not with every model.")),
        "response_format": maybe(
            text("The kind of file, `mp3` unless told; providers refuse what they do not have.", least=1)
        ),
        "speed": maybe(number("How fast; 1 is usual.", low=0.25, high=4)),
        "stream_format": maybe(text("`sse`: as events with base64; not with every model.", of=("audio", "sse"))),
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "input", "voice"),
)
_USAGE = record(
    {
        "input_tokens": shared.TOKENS,
        "output_tokens": shared.TOKENS,
        "total_tokens": shared.TOKENS,
        "cost": shared.COST,
    },
)
_EVENT = either(
    record(
        {"type": only("speech.audio.delta"), "audio": text("A piece of the sound in base64.")}, needs=("type", "audio")
    ),
    record({"type": only("speech.audio.done"), "usage": _USAGE}, needs=("type",)),
    ref("Error"),
)
PAGE = Page(
    title="Speech",
    about="Texts as sound.",
    entries=(
        Entry(
            operation="openai.speech",
            title="Speak a text",
            about=(
                "The sound comes as it is made, with the provider's content type. Charged by characters or by tokens, as the "
                "model is priced; an answer that breaks off, for what went out."
            ),
            request=ref("SpeechRequest"),
            answer=ANYTHING,
            answer_type="*/*",
            event=_EVENT,
            stream="Sound in base64, piece by piece, then `speech.audio.done` with usage.",
            examples=(
                Example(title="A file", body={"model": "gpt-4o-mini-tts", "input": "Good morning.", "voice": "coral"}),
                Example(
                    title="Events",
                    body={"model": "gpt-4o-mini-tts", "input": "Hi.", "voice": "ash", "stream_format": "sse"},
                ),
            ),
        ),
    ),
    schemas={"SpeechRequest": _REQUEST, **shared.SCHEMAS},
)
