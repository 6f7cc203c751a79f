"""Transcripts: `POST /v1/audio/transcriptions`."""

from unigate.reference import audio_forms, shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import many, record, ref, text

_REQUEST = record(
    {
        "file": audio_forms.FILE,
        "model": shared.MODEL,
        "language": text("Of the sound, as ISO 639-1 (`en`).", least=1),
        "prompt": audio_forms.PROMPT,
        "response_format": text(
            "What the answer is; each model has some of them.",
            of=("json", "text", "srt", "verbose_json", "vtt", "diarized_json"),
        ),
        "temperature": audio_forms.TEMPERATURE,
        "include[]": many(text(of=("logprobs",)), "`logprobs`: how sure each token is; with `json` and some models."),
        "timestamp_granularities[]": many(text(of=("word", "segment")), "Which times `verbose_json` has."),
        "stream": audio_forms.STREAM,
        "chunking_strategy": text("`auto`, or an object as JSON; needed for who said what in longer sound."),
        "known_speaker_names[]": many(text(least=1), most=4),
    },
    needs=("file", "model"),
)
PAGE = Page(
    title="Transcripts",
    about="Sound as text.",
    entries=(
        Entry(
            operation="openai.transcriptions",
            title="Write down what is said",
            about=(
                "The file goes on to the provider as it comes in. Charged by the length of the sound or by tokens, as the "
                "model is priced; where the provider does not tell the length, it is read from the file."
            ),
            request=ref("TranscriptionRequest"),
            request_type="multipart/form-data",
            answer=ref("Transcript"),
            also=audio_forms.PLAIN,
            event=audio_forms.EVENT,
            stream="Pieces of the text, then `transcript.text.done` with all of it and usage.",
            shown={"text": "Good morning.", "usage": {"type": "duration", "seconds": 2}},
            examples=(Example(title="A file", body={"model": "whisper-1", "file": "@speech.wav"}),),
        ),
    ),
    schemas={"TranscriptionRequest": _REQUEST, **audio_forms.SCHEMAS},
)
