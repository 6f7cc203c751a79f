"""Midjourney: submissions, tasks and questions below `/mj`."""

from collections.abc import Mapping, Sequence

from unigate.reference.midjourney_schemas import (
    BASE64,
    BUTTON,
    DONE,
    OTHER_PIXEL,
    PICTURE,
    PIXEL,
    PROMPT,
    REMIX,
    SCHEMAS,
    SEED,
    TAKEN,
    TASK_ID,
    submission,
)
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import Schema, either, flag, many, maybe, record, ref, text, whole

_MODE = text(
    "The speed: `mj-relax`, `mj-fast`, `mj-turbo`, `relax`, `fast`, `turbo`. Anything else: the usual one.", least=1
)
_ID = text("The task's id.", least=1)
_SOME = {"mode": "mj-fast", "id": "1741531578038123"}


def _submit(
    name: str,
    title: str,
    about: str,
    request: Schema,
    examples: Sequence[tuple[str, Mapping[str, object]]],
    *,
    shown: Mapping[str, object] = TAKEN,
) -> Entry:
    return Entry(
        operation=f"midjourney.{name}",
        title=title,
        about=about,
        request=request,
        answer=ref("MidjourneyAnswer"),
        shown=shown,
        examples=[Example(title=told, body=body, path={"mode": _SOME["mode"]}) for told, body in examples],
        places={"mode": _MODE},
    )


def _ask(
    name: str,
    title: str,
    about: str,
    answer: Schema,
    shown: Mapping[str, object] | Sequence[object],
    *,
    request: Schema | None = None,
    body: Mapping[str, object] | None = None,
    one: bool = True,
    fails: Sequence[int] = (),
) -> Entry:
    places = {"mode": _MODE, **({"id": _ID} if one else {})}
    return Entry(
        operation=f"midjourney.{name}",
        title=title,
        about=about,
        request=request,
        answer=answer,
        shown=shown,
        examples=[Example(title=title, body=body, path={place: _SOME[place] for place in places})],
        places=places,
        fails=(404, *fails) if one else fails,
    )


_TASK = ref("MidjourneyTask")
_TASKS = many(_TASK)
_GRID = "MJ::JOB::upsample::2::26d56b92-4ed6-45e2-8561-563797923135"


def _picture_error(name: str) -> Schema:
    """An error of the call for a picture, in the form that clients of the convention know."""
    return record({"error": {"const": name}}, needs=("error",))


PAGE = Page(
    title="Midjourney",
    about="As midjourney-proxy servers and the relays after them speak it: a submission answers with a task's id at once; ask "
    "for the task until it is `SUCCESS` or `FAILURE`, or name a `notifyHook`. The key stands in `Authorization: Bearer` or in "
    "`mj-api-secret`. Every path is also served below the speed that is wanted, such as `/mj-relax/mj/...`.",
    entries=(
        _submit(
            "imagine",
            "Imagine",
            "A prompt, and pictures to start from, become a grid of four pictures.",
            submission(
                {"prompt": PROMPT, "base64Array": maybe(many(PICTURE)), "base64": maybe(PICTURE)}, needs=("prompt",)
            ),
            (
                ("A prompt", {"prompt": "a lighthouse --v 7", "state": "order-77"}),
                ("With a picture to start from", {"prompt": "the same at night", "base64Array": [PIXEL]}),
            ),
        ),
        _submit(
            "blend",
            "Blend",
            "Two to five pictures become one.",
            submission(
                {
                    "base64Array": many(PICTURE, least=2, most=5),
                    "dimensions": maybe(text("2:3, 1:1 or 3:2.", of=("PORTRAIT", "SQUARE", "LANDSCAPE"))),
                },
                needs=("base64Array",),
            ),
            (("Two pictures", {"base64Array": [PIXEL, OTHER_PIXEL], "dimensions": "SQUARE"}),),
        ),
        _submit(
            "describe",
            "Describe",
            "Four prompts that might have made a picture, in `properties.finalPrompt`.",
            submission(
                {
                    "base64": maybe(BASE64),
                    "link": maybe(text("The picture's http(s) address, in place of `base64`.", least=1)),
                    "language": maybe(text("`zh` or `zh_cn`: in Chinese.")),
                }
            ),
            (("A picture", {"base64": PIXEL}),),
        ),
        _submit(
            "shorten",
            "Shorten",
            "Which words of a prompt matter, and shorter ones, in `properties.finalPrompt`.",
            submission({"prompt": PROMPT}, needs=("prompt",)),
            (("A long prompt", {"prompt": "a very tall and rather lonely lighthouse upon a cliff"}),),
        ),
        _submit(
            "action",
            "Press a button",
            "Upscale, vary, reroll, zoom, pan, inpaint, animate: whatever `buttons` of a task that is `SUCCESS` offer. Code 21 "
            "asks for `/submit/modal` with the id that it names.",
            submission(
                {"taskId": TASK_ID, "customId": BUTTON, "enableRemix": REMIX, "chooseSameChannel": REMIX},
                needs=("taskId", "customId"),
            ),
            (("Upscale the second picture", {"taskId": "1741531578038123", "customId": _GRID}),),
        ),
        _submit(
            "change",
            "Change by number",
            "Upscales or varies one of four pictures, or draws all anew: the same as its button.",
            submission(
                {
                    "taskId": TASK_ID,
                    "action": text(of=("UPSCALE", "VARIATION", "REROLL")),
                    "index": maybe(whole("Which of the four; of no meaning to REROLL.", low=0, high=4)),
                },
                needs=("taskId", "action"),
            ),
            (("Upscale the second picture", {"taskId": "1741531578038123", "action": "UPSCALE", "index": 2}),),
        ),
        _submit(
            "simple_change",
            "Change by a word",
            "The same in one text: the task's id, a space, and `U1` to `U4`, `V1` to `V4`, or `R`.",
            submission({"content": text(least=1)}, needs=("content",)),
            (("Upscale the second picture", {"content": "1741531578038123 U2"}),),
        ),
        _submit(
            "upload",
            "Upload pictures",
            "Gives pictures addresses that prompts can name; `result` holds them in their order.",
            submission({"base64Array": many(PICTURE, least=1)}, needs=("base64Array",)),
            (("A picture", {"base64Array": [PIXEL]}),),
            shown={**TAKEN, "result": ["https://ai.example.com/files/ast_01J9Z6V3Q9.png?until=1790003600&sig=0a1b"]},
        ),
        _submit(
            "show",
            "Bring back",
            "An old picture as a task with buttons.",
            submission({"jobId": text("Its UUID, or an address that holds it.", least=36)}, needs=("jobId",)),
            (("By its UUID", {"jobId": "26d56b92-4ed6-45e2-8561-563797923135"}),),
        ),
        _submit(
            "edits",
            "Edit",
            "A picture painted anew: where a mask says so, or all of it by a prompt.",
            submission(
                {
                    "prompt": PROMPT,
                    "image": PICTURE,
                    "maskBase64": maybe(text("What is to be painted anew, as a picture of the same size.")),
                },
                needs=("prompt", "image"),
            ),
            (("A picture", {"prompt": "the same in snow", "image": PIXEL}),),
        ),
        _submit(
            "retexture",
            "Retexture",
            "A picture's shapes in another matter.",
            submission({"prompt": PROMPT, "image": PICTURE}, needs=("prompt", "image")),
            (("A picture", {"prompt": "made of glass", "image": PIXEL}),),
        ),
        _submit(
            "video",
            "Film",
            "Films of five seconds that begin with a picture, in `videoUrls`; `action` `extend` with `taskId` and `index` goes on "
            "with one of a task's films.",
            submission(
                {
                    "prompt": maybe(text("What happens; needed unless a film is gone on with.")),
                    "image": maybe(PICTURE),
                    "base64": maybe(PICTURE),
                    "endImage": maybe(PICTURE),
                    "motion": maybe(text("How much moves, `low` unless told.", of=("low", "high", ""))),
                    "loop": maybe(flag("The film ends as it begins.")),
                    "videoType": maybe(text("480 or 720 lines.", of=("vid_1.1_i2v_480", "vid_1.1_i2v_720", ""))),
                    "batchSize": maybe(whole("How many films: 1, 2 or 4.", low=1, high=4)),
                    "action": maybe(text("`extend`: go on with a film.", of=("extend", ""))),
                    "taskId": maybe(TASK_ID),
                    "index": maybe(whole("Which of the task's films.", low=0, high=3)),
                }
            ),
            (("Of a picture", {"prompt": "waves roll in", "image": PIXEL, "motion": "low", "batchSize": 1}),),
        ),
        _submit(
            "swap_face",
            "Swap a face",
            "The face of one picture in another.",
            submission(
                {
                    "sourceBase64": maybe(BASE64),
                    "sourceUrl": maybe(text("The face's address, in place of `sourceBase64`.")),
                    "targetBase64": maybe(BASE64),
                    "targetUrl": maybe(text("The other picture's address, in place of `targetBase64`.")),
                }
            ),
            (("Two pictures", {"sourceBase64": PIXEL, "targetBase64": OTHER_PIXEL}),),
        ),
        Entry(
            operation="midjourney.modal",
            title="Confirm a window",
            about="Goes on with a task whose status is `MODAL`: a zoom of one's own, a region to be painted anew, a prompt to "
            "be drawn. It was paid for with the button.",
            request=record(
                {
                    "taskId": TASK_ID,
                    "prompt": maybe(text("In place of the one that the window shows.")),
                    "maskBase64": maybe(
                        text("What is to be painted anew, as a picture of the same size; inpainting only.")
                    ),
                },
                needs=("taskId",),
            ),
            answer=ref("MidjourneyAnswer"),
            shown=TAKEN,
            examples=(
                Example(
                    title="A zoom of one's own",
                    body={"taskId": "1741531578038123", "prompt": "a lighthouse --v 7 --zoom 1.8"},
                    path={"mode": _SOME["mode"]},
                ),
            ),
            places={"mode": _MODE},
        ),
        _ask("fetch", "Get a task", "The task as it stands.", _TASK, DONE),
        _ask(
            "list_by_condition",
            "Get several tasks",
            "Those of the tasks that there are; `code` 4 where the body is no list of ids.",
            either(_TASKS, ref("MidjourneyAnswer")),
            [DONE],
            request=record({"ids": maybe(many(either(text(), whole()), most=1000))}),
            body={"ids": ["1741531578038123"]},
            one=False,
        ),
        _ask(
            "image_seed",
            "Get the seed",
            "The number that a task's picture began with, once it is `SUCCESS`. Servers whose account can't ask for it refuse.",
            SEED,
            {"code": 1, "description": "成功", "properties": {}, "result": "1234567890"},
        ),
        _ask(
            "cancel",
            "Cancel a task",
            "The task as it stands then; one that has ended stays as it is.",
            _TASK,
            DONE,
            fails=(409,),
        ),
        _ask("list", "List tasks", "The newest 100 of the calling key.", _TASKS, [DONE], one=False),
        Entry(
            operation="midjourney.image",
            title="Get a task's picture",
            about="Leads to a link of the picture (`location`) that needs no key and ends.",
            examples=(Example(title="Get a task's picture", path=_SOME),),
            places={"mode": _MODE, "id": _ID},
            status=302,
            fails_as={
                400: ("There is no such task, or it is somebody else's.", _picture_error("midjourney_task_not_found")),
                500: ("The task has no picture.", _picture_error("http_get_image_failed")),
            },
        ),
        _ask("queue", "List what waits", "Those of them that wait for a place.", _TASKS, [], one=False),
    ),
    schemas=SCHEMAS,
    error="MidjourneyError",
)
