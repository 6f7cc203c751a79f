"""Schemas of Midjourney's page: what its submissions take, and what its answers and tasks look like."""

from collections.abc import Mapping

from unigate.reference.schema import ANYTHING, Schema, either, flag, many, mapping, maybe, record, ref, text, whole

#: A picture of one pixel, for examples that work.
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OTHER_PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PICTURE = text(
    "A picture as a data URL or bare base64 (PNG, JPEG, WebP, GIF, at most 20 MB), or its http(s) address.", least=1
)
BASE64 = text("A picture as a data URL or bare base64.", least=1)
PROMPT = text("What is wanted, with Midjourney's parameters in it (`--ar 16:9 --v 7`).", least=1)
TASK_ID: Schema = either(text(least=1), whole(low=1), about="The task, as text or number.")
BUTTON = text("The `customId` of one of the task's buttons.", least=1)

_BASE: Mapping[str, Schema] = {
    "state": maybe(text("A text of yours, given back in the task and in notices.", most=255)),
    "notifyHook": maybe(
        text("Where each change of status and progress is told: the whole task is posted there, unsigned.", most=2000)
    ),
    "botType": maybe(text("Which bot draws.", of=("MID_JOURNEY", "NIJI_JOURNEY", "mj", "niji", ""))),
    "mode": maybe(text("The speed (`relax`, `fast`, `turbo`), where neither key nor path names one.")),
    "accountFilter": maybe(
        mapping(ANYTHING, "Which account of the server is wanted (`instanceId`, ...); `modes` names a speed.")
    ),
}


def submission(fields: Mapping[str, Schema], *, needs: tuple[str, ...] = ()) -> Schema:
    """A body with what every submission may say beside its own fields."""
    return record({**fields, **_BASE}, needs=needs)


_ID: Schema = either(text(), whole(), about="The task's id: a text, or a number where key or settings say so.")
ANSWER = record(
    {
        "code": whole(
            "1: taken. 22: taken, and waits. 21: there already, or a window waits for `/submit/modal`. 23: the queue is full. "
            "24: a banned word. 3: not found. 4: not valid. 9: failed."
        ),
        "description": text("The same for people, in Chinese, or in English where `accept-language` prefers it."),
        "properties": mapping(
            ANYTHING,
            "By code: `numberOfQueues`, `discordInstanceId` (22); `finalPrompt`, `remix` (21); `promptEn`, `bannedWord` (24).",
        ),
        "result": either(_ID, many(text(), "Addresses of what was uploaded.")),
    },
    "What became of a submission. It answers 200 also where it is refused: look at `code`.",
    needs=("code", "description", "properties"),
)
TAKEN: Mapping[str, object] = {
    "code": 1,
    "description": "提交成功",
    "properties": {},
    "result": "1741531578038123",
}
_BUTTON = record(
    {
        "customId": text("What `/submit/action` takes."),
        "emoji": text(),
        "label": text(),
        "style": whole("Colour: 1 blue, 2 grey, 3 green, 4 red, 5 a link."),
        "type": whole("2: a button."),
    },
    needs=("customId",),
)
_FILE = mapping(ANYTHING, "`url`, and what else the server tells (`thumbnail`, `webp`).")
TASK = record(
    {
        "id": text(),
        "action": text("`IMAGINE`, `UPSCALE`, `VARIATION`, ..."),
        "prompt": text("As it was sent."),
        "promptEn": text("The same in English, where the server translates."),
        "description": text(),
        "state": text("Yours."),
        "submitTime": whole("Milliseconds since 1970."),
        "startTime": whole("0: not yet."),
        "finishTime": whole("0: not yet."),
        "imageUrl": text("The picture, while it is made a preview. Links end; asking again gives a fresh one."),
        "status": text(
            "`MODAL` waits for `/submit/modal`; the last three are ends.",
            of=("NOT_START", "SUBMITTED", "IN_PROGRESS", "MODAL", "SUCCESS", "FAILURE", "CANCEL"),
        ),
        "progress": text("`0%` to `100%`."),
        "failReason": text(),
        "properties": mapping(ANYTHING, "`finalPrompt`, `notifyHook`, `botType`, `messageHash`, ..."),
        "buttons": many(ref("MidjourneyButton"), "What can be done with it, once it is `SUCCESS`."),
        "botType": text(),
        "customId": text("The button that made it."),
        "maskBase64": text(),
        "mode": text("`RELAX`, `FAST` or `TURBO`."),
        "parentId": text("The task whose button made it."),
        "imageUrls": many(_FILE),
        "videoUrl": text(),
        "videoUrls": many(_FILE),
    },
    "A task.",
    needs=("id", "action", "status", "progress", "imageUrl", "failReason", "buttons", "properties"),
)
DONE: Mapping[str, object] = {
    "id": "1741531578038123",
    "action": "IMAGINE",
    "prompt": "a lighthouse --v 7",
    "promptEn": "a lighthouse --v 7",
    "description": "Submit success",
    "state": "order-77",
    "submitTime": 1741531578038,
    "startTime": 1741531580190,
    "finishTime": 1741531608566,
    "imageUrl": "https://ai.example.com/files/ast_01J9Z6V3Q9.png?until=1790003600&sig=0a1b",
    "status": "SUCCESS",
    "progress": "100%",
    "failReason": "",
    "properties": {
        "notifyHook": "",
        "finalPrompt": "a lighthouse --v 7",
        "finalZhPrompt": "",
        "botType": "MID_JOURNEY",
    },
    "buttons": [
        {
            "customId": "MJ::JOB::upsample::1::26d56b92-4ed6-45e2-8561-563797923135",
            "emoji": "",
            "label": "U1",
            "style": 2,
            "type": 2,
        }
    ],
    "botType": "MID_JOURNEY",
    "customId": "",
    "maskBase64": "",
    "mode": "FAST",
    "parentId": "",
}
ERROR = record(
    {
        "code": whole("3: not found, no account. 4: not valid. 5, 9: failed. 30: no room at present."),
        "description": text("What went wrong, for a person."),
        "type": text(),
        "properties": mapping(ANYTHING),
        "result": text(),
        "error": record(
            {"message": text(), "type": text(), "code": text("Stable, for programs."), "request_id": text()},
            needs=("message", "type", "code"),
        ),
    },
    "A call that never came as far as the rules of the convention.",
    needs=("code", "description", "error"),
)
SEED = record(
    {"code": whole(), "description": text(), "properties": mapping(ANYTHING), "result": text("The seed.")},
    "`code` 1 and the seed, or why there is none.",
    needs=("code", "description"),
)
REMIX = maybe(flag("Wait for a window even where none is needed, as far as the server can."))
SCHEMAS: Mapping[str, Schema] = {
    "MidjourneyAnswer": ANSWER,
    "MidjourneyTask": TASK,
    "MidjourneyButton": _BUTTON,
    "MidjourneyError": ERROR,
}
