"""Suno's relays in their third form: `/suno/v1/music`."""

from collections.abc import Mapping

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, Schema, flag, mapping, maybe, only, record, ref, text, whole
from unigate.reference.suno_schemas import CLIP_ID, NOTIFY, SHOWN_CLIP, TASK_ID

_CODE: Schema = {"type": "integer", "const": 200}
_TAKEN = record(
    {"code": _CODE, "message": only("success"), "data": record({"task_id": text()}, needs=("task_id",))},
    needs=("code", "message", "data"),
)
_SHOWN: Mapping[str, object] = {"code": 200, "message": "success", "data": {"task_id": TASK_ID}}
_ERROR = record(
    {
        "code": whole("The status."),
        "message": text("What went wrong, for a person."),
        "data": {"type": "null"},
        "error": record({"message": text(), "type": text(), "code": text()}, needs=("message", "type", "code")),
    },
    "An error.",
    needs=("code", "message", "data", "error"),
)


def _submit(name: str, title: str, about: str, request: Schema, body: Mapping[str, object]) -> Entry:
    return Entry(
        operation=f"suno_goamz.{name}",
        title=title,
        about=about,
        request=request,
        answer=_TAKEN,
        shown=_SHOWN,
        examples=(Example(title=title, body=body),),
    )


PAGE = Page(
    title="Suno: v1",
    about="A third form of the same, in which `code` is a number and clips stand under their ids.",
    entries=(
        _submit(
            "music",
            "Make songs",
            "`input` has the fields of `/suno/submit/music`; `mv` also as `mv-v4` and the like.",
            record({"custom_mode": maybe(flag()), "input": mapping(ANYTHING), "notify_hook": NOTIFY}, needs=("input",)),
            {"custom_mode": True, "input": {"prompt": "[Verse]\nWalking", "tags": "punk", "mv": "mv-v4"}},
        ),
        _submit(
            "lyrics",
            "Write lyrics",
            "Words with their sections.",
            record({"prompt": text(), "notify_hook": NOTIFY}, needs=("prompt",)),
            {"prompt": "a lighthouse keeper's holiday"},
        ),
        _submit(
            "concat",
            "Join clips",
            "The whole song of a clip that goes on from another.",
            record({"clip_id": text(least=1), "notify_hook": NOTIFY}, needs=("clip_id",)),
            {"clip_id": CLIP_ID},
        ),
        Entry(
            operation="suno_goamz.fetch",
            title="Get a task",
            about="`pending`, `processing`, `completed` or `failed`.",
            answer=record(
                {
                    "code": _CODE,
                    "message": only("success"),
                    "data": record(
                        {
                            "task_id": text(),
                            "status": text(),
                            "input": mapping(ANYTHING),
                            "clips": mapping(ref("SunoClip")),
                        },
                        needs=("task_id", "status"),
                    ),
                },
                needs=("code", "message", "data"),
            ),
            shown={
                "code": 200,
                "message": "success",
                "data": {"task_id": TASK_ID, "status": "completed", "input": {}, "clips": {CLIP_ID: SHOWN_CLIP}},
            },
            examples=(Example(title="Get a task", path={"id": TASK_ID}),),
            places={"id": text("The task's id.", least=1)},
        ),
    ),
    schemas={"SunoV1Error": _ERROR},
    error="SunoV1Error",
    refusal="SunoV1Error",
)
