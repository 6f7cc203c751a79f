"""Translations of speech: `POST /v1/audio/translations`."""

from unigate.reference import audio_forms, shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import record, ref, text

_REQUEST = record(
    {
        "file": audio_forms.FILE,
        "model": shared.MODEL,
        "prompt": audio_forms.PROMPT,
        "response_format": text("What the answer is.", of=("json", "text", "srt", "verbose_json", "vtt")),
        "temperature": audio_forms.TEMPERATURE,
    },
    needs=("file", "model"),
)
PAGE = Page(
    title="Translations of speech",
    about="Sound as English text.",
    entries=(
        Entry(
            operation="openai.translations",
            title="Write down in English what is said",
            about="As a transcript, whatever language is spoken.",
            request=ref("TranslationRequest"),
            request_type="multipart/form-data",
            answer=ref("Transcript"),
            also=audio_forms.PLAIN,
            shown={"text": "Good morning."},
            examples=(Example(title="A file", body={"model": "whisper-1", "file": "@speech.wav"}),),
        ),
    ),
    schemas={"TranslationRequest": _REQUEST, **audio_forms.SCHEMAS},
)
