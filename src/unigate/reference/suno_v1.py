"""Suno's relays in their older form: `generate` and `feed`."""

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import flag, many, maybe, record, ref, text, whole
from unigate.reference.suno_schemas import CLIP_ID, SCHEMAS, SHOWN_CLIP, TASK_ID

PAGE = Page(
    title="Suno: generate and feed",
    about="The form of SunoAI-API: a submission answers with the clips that will be, under ids that `feed` takes at once. Tasks and "
    "clips of this form may be named in the other forms too.",
    entries=(
        Entry(
            operation="suno_v1.generate",
            title="Make songs",
            about="The same fields as `/suno/submit/music`.",
            request=ref("SunoMusic"),
            answer=record(
                {
                    "id": text("The task's id."),
                    "clips": many(ref("SunoClip")),
                    "status": text(),
                    "created_at": text(),
                    "batch_size": whole(),
                },
                needs=("id", "clips", "batch_size"),
            ),
            shown={
                "id": TASK_ID,
                "clips": [{**SHOWN_CLIP, "status": "submitted"}],
                "status": "complete",
                "created_at": "2026-05-20T07:55:49.123Z",
                "batch_size": 1,
            },
            examples=(
                Example(
                    title="Words of one's own", body={"prompt": "[Verse]\nWalking", "tags": "punk", "mv": "chirp-v4"}
                ),
                Example(title="An idea", body={"gpt_description_prompt": "a calm song about rain", "mv": "chirp-v4"}),
            ),
        ),
        Entry(
            operation="suno_v1.concat",
            title="Join clips",
            about="The whole song of a clip that goes on from another.",
            request=record({"clip_id": text(least=1), "is_infill": maybe(flag())}, needs=("clip_id",)),
            answer=ref("SunoClip"),
            shown={**SHOWN_CLIP, "status": "submitted"},
            examples=(Example(title="A longer song", body={"clip_id": CLIP_ID}),),
        ),
        Entry(
            operation="suno_v1.lyrics",
            title="Write lyrics",
            about="Words with their sections; ask for them by `/suno/lyrics/{id}`.",
            request=record({"prompt": text()}, needs=("prompt",)),
            answer=record({"id": text()}, needs=("id",)),
            shown={"id": TASK_ID},
            examples=(Example(title="About something", body={"prompt": "a lighthouse keeper's holiday"}),),
        ),
        Entry(
            operation="suno_v1.feed",
            title="Get clips",
            about="Those of the clips that there are, as they stand.",
            answer=many(ref("SunoClip")),
            shown=[SHOWN_CLIP],
            examples=(Example(title="Get clips", path={"ids": CLIP_ID}),),
            places={"ids": text("Ids with commas between them, 100 at most.", least=1)},
        ),
        Entry(
            operation="suno_v1.fetch_lyrics",
            title="Get lyrics",
            about="`running`, then `complete` or `error`.",
            answer=record({"text": text(), "title": text(), "status": text()}, needs=("text", "title", "status")),
            shown={"text": "[Verse]\nWalking", "title": "City Lights", "status": "complete"},
            examples=(Example(title="Get lyrics", path={"id": TASK_ID}),),
            places={"id": text("The id that the submission answered.", least=1)},
        ),
    ),
    schemas={name: SCHEMAS[name] for name in ("SunoMusic", "SunoClip", "SunoError")},
    error="SunoError",
    refusal="SunoError",
)
