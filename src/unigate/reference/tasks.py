"""Tasks of all kinds in one form: `/v1/tasks`."""

from unigate.dialects.tasks import MOST, STATES
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, many, mapping, maybe, only, record, ref, text, whole

_TIME = maybe(text("A moment (RFC 3339, UTC); null: not yet."))
_ASSET = record(
    {
        "id": text(),
        "kind": text("What it is.", of=("image", "video", "audio", "text", "file")),
        "media_type": maybe(text("Its media type, once known.")),
        "url": text("Where it is fetched. The link ends; asking for the task gives a fresh one."),
        "size": maybe(whole("Bytes, once known.", low=0)),
    },
    "A file that the task made.",
    needs=("id", "kind", "url"),
)
_TASK = record(
    {
        "id": text("The task's id, the same in its vendor's own form."),
        "object": only("task"),
        "kind": text("What is made, as it is priced: `midjourney.upscale`."),
        "dialect": text("The wire format in which it was asked for."),
        "model": text("The model's public name."),
        "state": text(
            "`waiting`: for a place at a channel. `queued`: the provider has not begun. `paused`: it waits for you. The "
            "last three are ends.",
            of=tuple(STATES),
        ),
        "progress": maybe(whole("Percent; null: the provider does not tell.", low=0, high=100)),
        "ahead": maybe(whole("How many wait before it, while it is waiting.", low=0)),
        "input": mapping(ANYTHING, "What is remembered of the request."),
        "previews": many(text(), "Pictures of what is being made."),
        "assets": many(ref("TaskAsset"), "What it made."),
        "error": maybe(record({"code": text(), "message": text()}, "Why it failed.", needs=("code", "message"))),
        "cost_usd": maybe(text("What it was charged, in US dollars; null until it has ended.")),
        "parent_id": maybe(text("The task that it goes on from.")),
        "key_id": text("The key that asked for it."),
        "created_at": text("A moment (RFC 3339, UTC)."),
        "started_at": _TIME,
        "finished_at": _TIME,
        "metadata": mapping(ANYTHING, "What its price depended on, such as `mode`."),
    },
    "A task: a call whose answer comes later.",
    needs=("id", "object", "kind", "model", "state", "progress", "input", "assets", "error", "cost_usd", "created_at"),
)
_SHOWN = {
    "id": "task_01J9Z6V3Q8",
    "object": "task",
    "kind": "midjourney.imagine",
    "dialect": "midjourney",
    "model": "midjourney",
    "state": "succeeded",
    "progress": 100,
    "ahead": None,
    "input": {"prompt": "a lighthouse"},
    "previews": [],
    "assets": [
        {
            "id": "ast_01J9Z6V3Q9",
            "kind": "image",
            "media_type": "image/png",
            "url": "https://ai.example.com/files/ast_01J9Z6V3Q9.png?until=1790003600&sig=0a1b",
            "size": 1048576,
        }
    ],
    "error": None,
    "cost_usd": "0.03",
    "parent_id": None,
    "key_id": "key_01J9Z6V3Q0",
    "created_at": "2026-01-31T12:00:00.000Z",
    "started_at": "2026-01-31T12:00:02.000Z",
    "finished_at": "2026-01-31T12:01:00.000Z",
    "metadata": {"mode": "fast"},
}
_ID = {"id": text("The task's id.", least=1)}
_ONE = (Example(title="A task", path={"id": "task_01J9Z6V3Q8"}),)
_MOMENT = "A moment (RFC 3339) or a date."

PAGE = Page(
    title="Tasks",
    about="Songs, films, pictures and whatever else is made while you wait, in one form for all vendors. Each vendor's own "
    "form shows the same tasks.",
    entries=(
        Entry(
            operation="tasks.list",
            title="List tasks",
            about="The user's tasks, newest first, whichever key asked for them. A key that may only see its own numbers "
            "gets its own.",
            answer=record(
                {
                    "object": only("list"),
                    "data": many(ref("Task")),
                    "next": maybe(text("`cursor` of the page behind; null: there is none.")),
                },
                needs=("object", "data", "next"),
            ),
            shown={"object": "list", "data": [_SHOWN], "next": None},
            query={
                "state": text("Only tasks in this state.", of=tuple(STATES)),
                "kind": text("Only tasks of this kind: `midjourney.imagine`."),
                "dialect": text("Only tasks that were asked for in this wire format: `midjourney`."),
                "model": text("Only tasks of this model."),
                "key": text("Only tasks of the key with this id; `this`: of the calling key."),
                "since": text(f"Only tasks made at or after it. {_MOMENT}"),
                "until": text(f"Only tasks made before it. {_MOMENT}"),
                "limit": whole("Tasks of one page.", low=1, high=MOST),
                "cursor": text("`next` of the page before.", least=1),
            },
            examples=(
                Example(title="The latest"),
                Example(
                    title="What failed since a day", query={"state": "failed", "since": "2026-01-31", "limit": "10"}
                ),
            ),
        ),
        Entry(
            operation="tasks.get",
            title="Get a task",
            about="Answered from the gateway's own state, as often as you like.",
            answer=ref("Task"),
            shown=_SHOWN,
            places=_ID,
            examples=_ONE,
            fails=(404,),
        ),
        Entry(
            operation="tasks.cancel",
            title="Cancel a task",
            about="The task as it stands then; one that has ended stays as it is. Nothing is charged for one that was not "
            "sent yet, or whose provider says that it bills nothing. 409 where its provider cannot cancel.",
            answer=ref("Task"),
            shown={**_SHOWN, "state": "canceled", "progress": None, "assets": [], "cost_usd": "0"},
            places=_ID,
            examples=_ONE,
            fails=(404, 409, 502, 504),
        ),
        Entry(
            operation="tasks.events",
            title="Watch a task",
            about="The task now, and again with each change, until it has ended. `Last-Event-ID` names the last event that "
            "you have seen: what is newer follows, and 204 says that nothing will.",
            event=ref("Task"),
            stream="Events are called `task`; the id of each is the task's version. Comments keep the connection alive.",
            places=_ID,
            examples=_ONE,
            fails=(404,),
        ),
    ),
    schemas={"Task": _TASK, "TaskAsset": _ASSET},
)
