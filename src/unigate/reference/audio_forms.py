"""What the pages of transcripts and of translations share."""

from collections.abc import Mapping

from unigate.reference import shared
from unigate.reference.schema import Schema, either, flag, many, maybe, number, only, record, ref, text, whole

FILE: Schema = {
    "type": "string",
    "contentMediaType": "application/octet-stream",
    "description": "The sound: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm. OpenAI takes up to 25 MB.",
}
PROMPT = text("What guides the style, or goes before.")
TEMPERATURE = number("How much chance there is in the choice of words.", low=0, high=1)
PLAIN: Mapping[str, Schema] = {
    "text/plain": text("The text, or its subtitles (`srt`)."),
    "text/vtt": text("Its subtitles (`vtt`)."),
}
_SECONDS = number("In seconds.", low=0)
_LOGPROBS = many(record({"token": text(), "logprob": number(), "bytes": maybe(many(whole()))}))
_SEGMENT = record(
    {
        "id": either(whole(), text()),
        "start": _SECONDS,
        "end": _SECONDS,
        "text": text(),
        "speaker": text("Who said it."),
        "avg_logprob": number(),
        "no_speech_prob": number(),
    },
    needs=("start", "end", "text"),
)
_USAGE = record(
    {
        "type": text("`tokens` or `duration`."),
        "seconds": _SECONDS,
        "input_tokens": shared.TOKENS,
        "input_token_details": maybe(record({"text_tokens": shared.TOKENS, "audio_tokens": shared.TOKENS})),
        "output_tokens": shared.TOKENS,
        "total_tokens": shared.TOKENS,
        "cost": shared.COST,
    },
    "As the model is paid: by tokens, or by time.",
)
_ANSWER = record(
    {
        "text": text("What was said."),
        "task": text(),
        "language": text(),
        "duration": either(number(low=0), text(), about="Of the sound, in seconds."),
        "words": maybe(
            many(record({"word": text(), "start": _SECONDS, "end": _SECONDS}, needs=("word", "start", "end")))
        ),
        "segments": maybe(many(ref("TranscriptSegment"))),
        "logprobs": maybe(_LOGPROBS),
        "usage": ref("TranscriptUsage"),
    },
    needs=("text",),
)
EVENT = either(
    record({"type": only("transcript.text.delta"), "delta": text(), "logprobs": _LOGPROBS}, needs=("type", "delta")),
    record({"type": only("transcript.text.segment"), "text": text()}, needs=("type", "text")),
    record(
        {"type": only("transcript.text.done"), "text": text(), "usage": ref("TranscriptUsage")}, needs=("type", "text")
    ),
    ref("Error"),
)
STREAM = flag(
    "Send the text in events as it is heard. Models that answer whole do so, and `x-unigate-ignored` says it."
)
SCHEMAS: Mapping[str, Schema] = {
    "Transcript": _ANSWER,
    "TranscriptSegment": _SEGMENT,
    "TranscriptUsage": _USAGE,
    **shared.SCHEMAS,
}
