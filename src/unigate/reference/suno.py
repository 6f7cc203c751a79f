"""Suno's relays: songs, lyrics, joins, uploads by address, and queries."""

from collections.abc import Mapping, Sequence

from unigate.dialects.relay_tasks import MOST_IDS
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import Schema, flag, many, maybe, record, ref, text
from unigate.reference.suno_schemas import CLIP_ID, DONE, NOTIFY, SCHEMAS, SHOWN_CLIP, TAKEN, TASK_ID, WORDS

_MUSIC = ref("SunoMusic")
_TAKEN = ref("SunoTaken")
_SONG = {
    "prompt": "[Verse]\nWalking down the streets",
    "tags": "emotional punk",
    "mv": "chirp-v4",
    "title": "City Lights",
}
_IDEA = {"gpt_description_prompt": "a calm song about rain", "make_instrumental": False, "mv": "chirp-v4"}


def _submit(
    name: str,
    title: str,
    about: str,
    request: Schema,
    examples: Sequence[tuple[str, Mapping[str, object]]],
    *,
    shown: Mapping[str, object],
    action: str = "",
) -> Entry:
    path = {"action": action} if action else {}
    return Entry(
        operation=f"suno.{name}",
        title=title,
        about=about,
        request=request,
        answer=_TAKEN,
        shown=shown,
        examples=[Example(title=told, body=body, path=path) for told, body in examples],
        places={"action": text("The action, in any case of letters.", least=1)} if action else {},
    )


PAGE = Page(
    title="Suno",
    about="As the servers of the Suno-API convention and the relays after them speak it: a submission answers with a task's id in "
    "`data` at once; ask for the task until it is `SUCCESS` or `FAILURE`, or name a `notify_hook`. A task makes two clips; later "
    "calls name them by their ids, and go to the account that has them. Every path is also served below `/sunoapi`.",
    entries=(
        _submit(
            "music",
            "Make songs",
            "Out of an idea (`gpt_description_prompt`), out of words of your own, or out of a clip (`task`).",
            _MUSIC,
            (
                ("Words of one's own", _SONG),
                ("An idea", _IDEA),
                ("Without singing", {"prompt": "", "tags": "slow piano", "make_instrumental": True, "title": "Quiet"}),
            ),
            shown={**TAKEN, **SHOWN_CLIP, "id": TASK_ID, "status": "submitted"},
        ),
        _submit(
            "lyrics",
            "Write lyrics",
            "Words with their sections, and a title.",
            record(
                {
                    "prompt": text("What about; empty: anything."),
                    "lyrics_model": maybe(text("`remi-v1`, `default`: two texts, as a list in the task's `data`.")),
                    "notify_hook": NOTIFY,
                },
                needs=("prompt",),
            ),
            (("About something", {"prompt": "a lighthouse keeper's holiday"}),),
            shown={**TAKEN, **WORDS, "id": TASK_ID, "text": "", "title": "", "status": "submitted"},
        ),
        _submit(
            "concat",
            "Join clips",
            "The whole song of a clip that goes on from another, or of a section that was made anew.",
            record(
                {
                    "clip_id": text("The clip that was made last.", least=1),
                    "is_infill": maybe(flag("It is a section that was made anew.")),
                    "notify_hook": NOTIFY,
                },
                needs=("clip_id",),
            ),
            (("A longer song", {"clip_id": CLIP_ID, "is_infill": False}),),
            shown={**TAKEN, "status": "submitted"},
        ),
        _submit(
            "submit",
            "Submit by action",
            "The same three, for clients that write the action in capitals, and what newer relays have: `stems`, `crop` "
            "(`crop_start_s`, `crop_end_s`) and `speed` of a `clip_id` make clips; `wav`, `video`, `midi` and `timing` of one, "
            "`persona` and `upsample-tags` answer in `data` as the calls that do the same at once.",
            record({"prompt": maybe(text()), "clip_id": maybe(text()), "notify_hook": NOTIFY}),
            (("Lyrics", {"prompt": "a lighthouse keeper's holiday"}),),
            shown={**TAKEN, "text": "", "title": "", "status": "submitted"},
            action="LYRICS",
        ),
        _submit(
            "upload_url",
            "Upload a sound by its address",
            "The task's id is the clip's too: go on from it once the task is `SUCCESS`.",
            record(
                {"url": text("An http(s) address of a sound of 6 s and more.", least=1), "notify_hook": NOTIFY},
                needs=("url",),
            ),
            (("A sound", {"url": "https://example.com/tune.mp3"}),),
            shown={**TAKEN, "clip_id": TASK_ID, "task_id": TASK_ID, "status": "submitted"},
        ),
        Entry(
            operation="suno.fetch",
            title="Get a task",
            about="The task as it stands: songs and lyrics alike.",
            answer=record(
                {"code": text(), "message": text(), "data": ref("SunoTask")}, needs=("code", "message", "data")
            ),
            shown={"code": "success", "message": "", "data": DONE},
            examples=(Example(title="Get a task", path={"id": TASK_ID}),),
            places={"id": text("The task's id.", least=1)},
        ),
        Entry(
            operation="suno.fetch_many",
            title="Get several tasks",
            about="Those of the tasks that there are.",
            request=record(
                {
                    "ids": many(text(), most=MOST_IDS),
                    "action": maybe(text("Only tasks of this action: `MUSIC`, `LYRICS`, `CONCAT`, `UPLOAD`.")),
                },
                needs=("ids",),
            ),
            answer=record(
                {"code": text(), "message": text(), "data": many(ref("SunoTask"))}, needs=("code", "message", "data")
            ),
            shown={"code": "success", "message": "", "data": [DONE]},
            examples=(Example(title="Get several tasks", body={"ids": [TASK_ID]}),),
        ),
    ),
    schemas=SCHEMAS,
    error="SunoError",
    refusal="SunoError",
)
