"""The schemas of Suno's pages, and how their examples look."""

from collections.abc import Mapping

from unigate.reference.relay_schemas import task
from unigate.reference.schema import ANYTHING, Schema, flag, many, mapping, maybe, number, record, ref, text, whole

TASK_ID = "346c5d10-a4a1-4f49-a851-66a7dae6cfaf"
CLIP_ID = "e9893d04-6a63-4007-8473-64b706eca4d1"
NOTIFY = maybe(text("An http(s) address that is sent the task once it has ended.", most=2000))
_SECONDS = maybe(number("Seconds from the clip's beginning.", low=0))
_CLIP_NAMED = maybe(text("A clip of yours."))

TAKEN: Mapping[str, object] = {"code": "success", "message": "", "data": TASK_ID, "id": TASK_ID}
WORDS: Mapping[str, object] = {"id": TASK_ID, "text": "[Verse]\nWalking", "title": "City Lights", "status": "complete"}
_FILE = "https://ai.example.com/files/ast_01J9Z6V3Q9.mp3?until=1790003600&sig=0a1b"
SHOWN_CLIP: Mapping[str, object] = {
    "id": CLIP_ID,
    "title": "City Lights",
    "status": "complete",
    "user_id": "usr_01J9Z6V3Q9",
    "metadata": {
        "tags": "emotional punk",
        "type": "gen",
        "prompt": "[Verse]\nWalking down the streets",
        "duration": 12.4,
    },
    "audio_url": _FILE,
    "image_url": _FILE.replace("mp3", "png"),
    "video_url": "",
    "created_at": "2026-05-20T07:55:49.123Z",
    "model_name": "chirp-v4",
    "major_model_version": "v4",
    "image_large_url": _FILE.replace("mp3", "png"),
}
DONE: Mapping[str, object] = {
    "task_id": TASK_ID,
    "notify_hook": "",
    "action": "MUSIC",
    "status": "SUCCESS",
    "fail_reason": "",
    "submit_time": 1790000000,
    "start_time": 1790000002,
    "finish_time": 1790000120,
    "progress": "100%",
    "search_item": "",
    "data": [SHOWN_CLIP],
}
CLIP = record(
    {
        "id": text("By which later calls name it."),
        "title": text(),
        "status": text("`submitted`, `queued`, `streaming`, `complete`, `error`."),
        "user_id": text("The caller's own."),
        "metadata": mapping(ANYTHING),
        "audio_url": text("Playable from `streaming` on."),
        "image_url": text(),
        "image_large_url": text(),
        "video_url": text(),
        "created_at": text(),
        "model_name": text(),
        "major_model_version": text(),
    },
    "A song.",
    needs=("id", "title", "status", "user_id"),
)
_TASK = task(
    text("`MUSIC`, `LYRICS`, `CONCAT` or `UPLOAD`."),
    {"anyOf": [many(ref("SunoClip")), ref("SunoLyrics"), many(ref("SunoLyrics")), mapping(ANYTHING)]},
    "A task: its clips, its lyrics, or what else was asked for.",
)
_MUSIC = record(
    {
        "gpt_description_prompt": maybe(text("An idea: lyrics, title and tags are made from it.")),
        "prompt": maybe(text("Lyrics, with `[Verse]`, `[Chorus]` and so on; empty: no singing.")),
        "title": maybe(text()),
        "tags": maybe(text("Styles, with commas between them.")),
        "negative_tags": maybe(text("Styles to avoid.")),
        "make_instrumental": maybe(flag("No singing.")),
        "mv": maybe(
            text("The vendor's model, such as `chirp-v4` (the usual one), `chirp-auk`, `chirp-crow`.", most=100)
        ),
        "generation_type": maybe(text("`TEXT`.")),
        "task": maybe(
            text(
                "What is done to a clip.",
                of=("", "extend", "upload_extend", "cover", "infill", "artist_consistency", "gen_stem"),
            )
        ),
        "task_id": maybe(text("The task of the clip that is gone on from; found by itself where it is not named.")),
        "continue_clip_id": _CLIP_NAMED,
        "continue_at": _SECONDS,
        "cover_clip_id": _CLIP_NAMED,
        "persona_id": maybe(text("A singer of yours, for `artist_consistency`.")),
        "artist_clip_id": _CLIP_NAMED,
        "infill_start_s": _SECONDS,
        "infill_end_s": _SECONDS,
        "stem_type_id": maybe(whole("91: for `gen_stem`.")),
        "stem_type_group_name": maybe(text("`Two` or `Twelve`.")),
        "stem_task": maybe(text("`two` or `twelve`.")),
        "vocal_gender": maybe(text("`m` or `f`.")),
        "metadata": maybe(mapping(ANYTHING)),
        "notify_hook": NOTIFY,
    },
    "Songs that are asked for.",
)
SCHEMAS: Mapping[str, Schema] = {
    "SunoMusic": _MUSIC,
    "SunoTaken": record(
        {"code": text(), "message": text(), "data": text("The task's id."), "id": text("The same."), "status": text()},
        "A submission that was taken; beside it the members of what will be made, as far as they are known.",
        needs=("code", "message", "data", "id", "status"),
    ),
    "SunoTask": _TASK,
    "SunoClip": CLIP,
    "SunoLyrics": record(
        {"id": text(), "text": text(), "title": text(), "status": text()}, needs=("id", "text", "title", "status")
    ),
    "SunoError": record(
        {
            "code": text("Stable, for programs: `invalid_request`, `task_not_exist`, `quota_not_enough`, ..."),
            "message": text("What went wrong, for a person."),
            "data": {"type": "null"},
            "error": record({"message": text(), "type": text(), "code": text()}, needs=("message", "type", "code")),
        },
        "An error.",
        needs=("code", "message", "data", "error"),
    ),
}
