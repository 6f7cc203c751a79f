"""Udio as relays speak it: songs as tasks, under `/udio`."""

from collections.abc import Mapping

from unigate.dialects.relay_tasks import MOST_IDS
from unigate.dialects.udio_read import LYRICS, MODES
from unigate.reference.page import Entry, Example, Page
from unigate.reference.relay_schemas import task
from unigate.reference.schema import (
    ANYTHING,
    Schema,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    record,
    ref,
    text,
    whole,
)

ID = "8a3bcd6e-79ab-454a-ac66-797b91bbb2f5"
SONG_ID = "410e80f0-37c7-41ab-8760-9fb56ec747f3"
SONG = record(
    {
        "id": text("By which it is gone on from."),
        "generation_id": text("The task's id."),
        "title": text(),
        "lyrics": text(),
        "prompt": text(),
        "tags": many(text()),
        "duration": number("Seconds; 0 until it is finished.", low=0),
        "finished": flag("Playable, or failed."),
        "song_path": maybe(text("An mp3. Links end: ask again for fresh ones.")),
        "image_path": maybe(text()),
        "video_path": maybe(text()),
        "error_type": maybe(text()),
        "error_detail": maybe(text("Why it failed.")),
        "audio_conditioning_type": maybe(text("`continuation`, `precede`, or null.")),
        "created_at": text(),
        "replaced_tags": mapping(ANYTHING),
    },
    "A song.",
    needs=("id", "generation_id", "finished", "song_path"),
)
_SHOWN_SONG = {
    "id": SONG_ID,
    "generation_id": ID,
    "finished": True,
    "song_path": "https://ai.example.com/files/a/song.mp3",
}
TASK = task(
    text(of=("udio-generate",)),
    maybe(record({"songs": many(ref("UdioSong"))}, "The same songs, or null.")),
    "Two songs as a task.",
    {"songs": many(ref("UdioSong"))},
)
_SHOWN = {
    "task_id": ID,
    "notify_hook": "",
    "action": "udio-generate",
    "status": "SUCCESS",
    "fail_reason": "",
    "submit_time": 1732548161,
    "start_time": 1732548173,
    "finish_time": 1732548213,
    "progress": "100%",
    "songs": [_SHOWN_SONG],
    "data": {"songs": [_SHOWN_SONG]},
}
ERROR = record(
    {
        "code": text("Stable, for programs."),
        "message": text("What went wrong, for a person."),
        "data": {"type": "null"},
        "error": record({"message": text(), "type": text(), "code": text()}, needs=("message",)),
    },
    "An error.",
    needs=("code", "message", "error"),
)
_SHARE = number(low=0, high=1)
_PARAMS = record(
    {
        "prompt": text("Idea, style, mood."),
        "lyrics": text("With `[Verse]`, `[Chorus]`; read where `lyrics_type` is `user`."),
        "lyrics_type": text(of=LYRICS),
        "model_type": text("`udio32-v1.5` (unless told) or `udio130-v1.5`."),
        "seed": whole("-1: any."),
        "negative_prompt": text(),
        "bypass_prompt_optimization": flag("Take the prompt literally."),
        "song_section_start": _SHARE,
        "song_section_end": _SHARE,
        "lyrics_placement_start": _SHARE,
        "lyrics_placement_end": _SHARE,
        "prompt_strength": _SHARE,
        "lyrics_strength": _SHARE,
        "clarity_strength": _SHARE,
        "generation_quality": _SHARE,
        "config": record(
            {
                "mode": text("`continuation` and `precede` need a source.", of=MODES),
                "context_length": whole("Seconds of the source that are heard.", low=0),
                "source": record({"source_type": text(), "song_id": text("A song's id, not a task's.")}),
            }
        ),
    }
)
_REQUEST = record({"gen_params": _PARAMS, "notify_hook": text("Told of the end, unsigned.")}, needs=("gen_params",))
_WEB = record(
    {"prompt": text(), "lyricInput": text(), "samplerOptions": mapping(ANYTHING)}, "The vendor's old web body."
)
_BODY: Mapping[str, object] = {"gen_params": {"prompt": "saxophone, night, town", "lyrics_type": "instrumental"}}


def _envelope(data: Schema, more: Mapping[str, Schema] | None = None) -> Schema:
    return record({"code": text(), "message": text(), "data": data, **(more or {})}, needs=("code", "message", "data"))


_ENTRIES = (
    Entry(
        operation="udio.music",
        title="Make songs",
        about="Two of them: new ones, or what comes before or after a song.",
        request=_REQUEST,
        answer=_envelope(text("The task's id.")),
        shown={"code": "success", "message": "", "data": ID},
        examples=(Example(title="An instrumental", body=_BODY),),
        fails=(400, 503),
    ),
    Entry(
        operation="udio.generate",
        title="Make songs (another form)",
        about="The same, and the old web body; the answer names the songs as well.",
        request=either(_REQUEST, _WEB),
        answer=_envelope(text("The task's id."), {"generation_id": text(), "track_ids": many(text())}),
        shown={"code": "success", "message": "", "data": ID, "generation_id": ID, "track_ids": [SONG_ID]},
        examples=(Example(title="An instrumental", body=_BODY),),
        fails=(400, 503),
    ),
    Entry(
        operation="udio.fetch",
        title="Get a task",
        about="Answered from the gateway's own state, as often as you like.",
        answer=_envelope(ref("UdioTask")),
        shown={"code": "success", "message": "", "data": _SHOWN},
        places={"id": text("The task's id.", least=1)},
        examples=(Example(title="A task", path={"id": ID}),),
        fails=(400,),
    ),
    Entry(
        operation="udio.fetch_many",
        title="Get several tasks",
        about="What is unknown is left out.",
        request=record({"ids": many(text(), most=MOST_IDS)}, needs=("ids",)),
        answer=_envelope(many(ref("UdioTask"))),
        shown={"code": "success", "message": "", "data": [_SHOWN]},
        examples=(Example(title="Two tasks", body={"ids": [ID]}),),
        fails=(400,),
    ),
    Entry(
        operation="udio.songs",
        title="Get songs",
        about="By their own ids, without an envelope; what is unknown is left out.",
        answer=record({"songs": many(ref("UdioSong"))}, needs=("songs",)),
        shown={"songs": [_SHOWN_SONG]},
        query={"ids": text("With commas between them."), "songIds": text("The same.")},
        examples=(Example(title="Two songs", query={"ids": SONG_ID}),),
        fails=(400,),
    ),
)
PAGE = Page(
    title="Udio",
    about="Udio in the form of its relays and of web clients: base URL `/udio`.",
    entries=_ENTRIES,
    schemas={"UdioSong": SONG, "UdioTask": TASK, "UdioError": ERROR},
    error="UdioError",
    refusal="UdioError",
)
