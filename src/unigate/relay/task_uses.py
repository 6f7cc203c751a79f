"""Operations that make tasks or ask after them, for all dialects alike: what each use needs of its dialect stands with it.

Tasks are made and followed by `Services.tasks`; dialects read and write. Questions about tasks are free.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, cast
from urllib.parse import unquote

import msgspec

from unigate.base.clock import monotonic
from unigate.base.cursor import decode, encode
from unigate.base.errors import Conflict, GatewayError, NotFound, QueueFull
from unigate.base.money import format_usd
from unigate.dialects import TaskDialect, TaskWriter, callbacks, task_dialect, task_writer
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_base import base_of
from unigate.relay.task_callback import with_callback
from unigate.relay.task_events import events, own_events
from unigate.relay.task_pins import makers, pinned
from unigate.spec.exchange import Exchange
from unigate.spec.reply import Pieces, Reply
from unigate.spec.shown_key import SECRET_HEADERS, query_without_key
from unigate.spec.task import Answered, Draft, Json, Submission, Task, View
from unigate.spec.task_page import PageAsked
from unigate.store.pages import MAX_ROWS, Page
from unigate.tasks.addresses import check_address


class Lister(TaskWriter, Protocol):
    """A dialect with the use `task_list`."""

    def read_page(self, asked: Submission) -> PageAsked:
        """Which tasks are asked for; BadRequest."""
        ...


class Selector(TaskWriter, Protocol):
    """A dialect with the use `task_several`."""

    def read_ids(self, body: bytes) -> Sequence[str]:
        """Whose tasks are asked for; BadRequest."""
        ...


class ThingWriter(TaskWriter, Protocol):
    """A dialect with the use `task_things`."""

    def read_things(self, asked: Submission) -> Sequence[str]:
        """The things that are asked for, by their ids; BadRequest."""
        ...

    def write_things(self, things: Sequence[tuple[str, Task]], view: View) -> bytes:
        """Each of those that there are, as its task tells of it."""
        ...


class Asker(TaskWriter, Protocol):
    """A dialect with the use `task_ask`; it may have `check_ask(task)`, BadRequest for a task that can't be asked about."""

    def write_ask(self, task: Task, answered: Answered, view: View) -> Reply:
        """What the provider said to the question about the task."""
        ...


class Joiner(TaskDialect, Protocol):
    """A dialect whose drafts may need several tasks."""

    def other_tasks(self, draft: Draft) -> Sequence[str]:
        """Ids of those that are not its parent; few."""
        ...

    def with_others(self, draft: Draft, parent: Task, others: Mapping[str, Task]) -> Draft:
        """The draft with what follows from them; BadRequest."""
        ...


class Resumer(TaskDialect, Protocol):
    """A dialect with the use `task_resume`."""

    def read_resumed(self, body: bytes) -> str:
        """Which task is to go on; BadRequest."""
        ...

    def read_resume(self, asked: Submission, task: Task) -> Json:
        """With what it goes on, for the provider; BadRequest where it can't go on."""
        ...


class Confider(TaskWriter, Protocol):
    """A dialect with the use `webhook_secret`."""

    def write_secret(self, secret: str) -> Reply:
        """By what the user's webhooks are signed (`whsec_...`)."""
        ...


async def make(call: Call, svc: Services) -> Reply:
    """`task`: read the request, make a task of it, and answer at once, or after the wait that it asks for.

    A dialect may say in its own words that nothing serves what is asked for: `unserved(submission)`. Where a draft needs
    further tasks beside its parent, it has `other_tasks(draft)`, their ids, and `with_others(draft, parent, others)`.
    """
    spoken = task_dialect(call.operation.dialect)
    draft = spoken.read_task(submission(call, svc))
    # A draft without a model gets its parent's.
    svc.keys.check(call.key, draft.model or None, call.x.client, call.at, call.operation)
    draft = await pinned(call, svc, spoken, draft)
    if draft.parent_id:
        draft = await _continued(call, svc, spoken, draft)
    try:
        return await submit(call, svc, spoken, draft)
    except NotFound as error:
        unserved: Callable[[Submission], GatewayError] | None = getattr(spoken, "unserved", None)
        if unserved is None or draft.pinned is not None or error.code != "model_not_found":
            raise
        raise unserved(submission(call, svc)) from None


async def _continued(call: Call, svc: Services, spoken: TaskDialect, draft: Draft) -> Draft:
    parent = await _gone_on_from(call, svc, spoken, draft.parent_id)
    continued = spoken.continue_task(draft, parent)
    if not hasattr(spoken, "other_tasks"):
        return continued
    joiner = cast(Joiner, spoken)
    others = {id: await _gone_on_from(call, svc, spoken, id) for id in joiner.other_tasks(draft)}
    return joiner.with_others(continued, parent, others)


async def submit(call: Call, svc: Services, spoken: TaskDialect, draft: Draft) -> Reply:
    """Have a task made of a draft, and answer in its dialect. BadRequest for a callback that we don't call.

    A dialect may say how its callers read an id where there is no room: `shown_id(task_id, view)`.
    """
    if draft.notify is not None and draft.notify.url:
        check_address(draft.notify.url, svc.settings.notify.allow_private_targets)
    draft = await with_callback(call, svc, draft)
    try:
        task = await svc.tasks.submit(call, draft, base=base_of(call.x, svc.settings))
    except QueueFull as full:
        shown: Callable[[str, View], object] | None = getattr(spoken, "shown_id", None)
        if shown is not None and full.task_id:
            full.shown_id = shown(full.task_id, view(call, svc))
        raise
    task = await waited(svc, task, draft.wait)
    return priced(spoken.write_accepted(task, view(call, svc)), task)


async def resume(call: Call, svc: Services) -> Reply:
    """`task_resume`: a paused task goes on."""
    spoken = cast(Resumer, task_dialect(call.operation.dialect))
    asked = submission(call, svc)
    task = await _gone_on_from(call, svc, spoken, spoken.read_resumed(call.body))
    task = await svc.tasks.resume(call, task, spoken.read_resume(asked, task))
    return spoken.write_accepted(task, view(call, svc))


async def get(call: Call, svc: Services) -> Reply:
    """`task_get`: the task that `{id}` in the path names."""
    spoken = task_writer(call.operation.dialect)
    task = await named(call, svc, spoken)
    return priced(Reply(spoken.write_task(task, view(call, svc))), task)


async def several(call: Call, svc: Services) -> Reply:
    """`task_several`: tasks that the body names; those that there are.

    A dialect may leave out some: `selects(body)` gives what says of a task whether it is shown.
    """
    spoken = cast(Selector, task_writer(call.operation.dialect))
    selector: Callable[[bytes], Callable[[Task], bool]] | None = getattr(spoken, "selects", None)
    ids = spoken.read_ids(call.body)
    wanted = selector(call.body) if selector is not None else None
    tasks = await svc.tasks.several(ids, call.key.user_id)
    shown = [task for task in tasks if _shows(call, spoken, task) and (wanted is None or wanted(task))]
    return Reply(spoken.write_tasks(shown, view(call, svc)))


async def things(call: Call, svc: Services) -> Reply:
    """`task_things`: things that tasks made, each as its task tells of it; those that there are."""
    spoken = cast(ThingWriter, task_writer(call.operation.dialect))
    asked = spoken.read_things(submission(call, svc))
    known = await makers(call, svc, asked)
    shown = [(id, task) for id in dict.fromkeys(asked) if (task := known.get(id)) and _shows(call, spoken, task)]
    return Reply(spoken.write_things(shown, view(call, svc)))


async def listed(call: Call, svc: Services) -> Reply:
    """`task_list`: the user's tasks, newest first; of a key that may see its own numbers only, the key's."""
    spoken = cast(Lister, task_writer(call.operation.dialect))
    asked = spoken.read_page(submission(call, svc))
    found = await svc.tasks.page(
        Page(limit=min(asked.limit, MAX_ROWS), after=decode(asked.cursor) if asked.cursor else None),
        call.key.user_id,
        key_id=asked.key_id if call.key.user_view else call.key.id,
        called=asked.called,
        operation=asked.operation,
        dialect=asked.dialect if _shows_every(spoken) else call.operation.dialect,
        model=asked.model,
        states=asked.states,
        queued=asked.queued,
        since=asked.since,
        until=asked.until,
    )
    return Reply(spoken.write_tasks(found.rows, view(call, svc), encode(found.next) or ""))


async def cancel(call: Call, svc: Services) -> Reply:
    """`task_cancel`: the task as it stands then. One that has ended stays as it is."""
    spoken = task_writer(call.operation.dialect)
    task = await named(call, svc, spoken)
    if not task.ended:
        task = await svc.tasks.cancel(task)
    return priced(Reply(spoken.write_task(task, view(call, svc))), task)


async def delete(call: Call, svc: Services) -> Reply:
    """`task_delete`: a task is ended where it has not, deleted at its provider where that can be, and forgotten.

    The provider has the operation in `asks`; what it says is not waited for any more once the task has ended. Conflict where
    a task cannot be ended.
    """
    spoken = task_writer(call.operation.dialect)
    task = await named(call, svc, spoken)
    if not task.ended:
        task = await svc.tasks.cancel(task)
        if not task.ended:
            raise Conflict("This task cannot be canceled any more.", code="task_not_cancelable")
    else:
        with suppress(GatewayError):
            await svc.tasks.ask(call, task, call.operation.name)
    await svc.tasks.forget(task)
    return Reply(b"", 204, ())


async def watch(call: Call, svc: Services) -> Pieces | Reply:
    """`task_events`: the task as server-sent events, now and with each change, until it has ended.

    A dialect may write them itself: `write_events(before, after, view, last)` gives the bytes that go out, b"" for none;
    `before` is None at first, `last` the caller's `last-event-id`. TooMany where the key watches enough already.
    """
    spoken = task_writer(call.operation.dialect)
    task = await named(call, svc, spoken)
    last = (call.x.header(b"last-event-id") or b"").decode("latin-1")
    write: Callable[[Task | None, Task, View, str], bytes] | None = getattr(spoken, "write_events", None)
    if write is not None:
        found: Pieces | Reply = own_events(
            svc.tasks, task, lambda before, now: write(before, now, view(call, svc), last)
        )
    else:
        found = events(svc.tasks, task, last, lambda now: spoken.write_task(now, view(call, svc)))
    if isinstance(found, Reply):
        return found
    svc.watchers.admit(call.key)  # nothing is awaited between this and the first piece
    return replace(found, pieces=svc.watchers.counted(call.key, found.pieces))


async def ask(call: Call, svc: Services) -> Reply:
    """`task_ask`: a question about a task that its provider answers."""
    spoken = cast(Asker, task_writer(call.operation.dialect))
    task = await named(call, svc, spoken)
    check: Callable[[Task], None] | None = getattr(spoken, "check_ask", None)
    if check is not None:
        check(task)
    answered = await svc.tasks.ask(call, task, call.operation.name)
    return spoken.write_ask(task, answered, view(call, svc))


async def webhook_secret(call: Call, svc: Services) -> Reply:
    """`webhook_secret`: by what the user's webhooks are signed."""
    spoken = cast(Confider, task_writer(call.operation.dialect))
    return spoken.write_secret(view(call, svc).secret(call.key.user_id))


async def callback(call: Call, svc: Services) -> Reply:
    """`task_callback`: a provider tells of a task. Whoever has the address may; nobody is told anything."""
    told = Answered(status=200, body=call.body, headers=_headers(call.x))
    task = unquote(call.params["task"])
    if "\0" in task or not await svc.tasks.called_back(task, unquote(call.params["secret"]), told):
        raise callbacks.unknown()
    return Reply(b"{}")


#: `Operation.use` -> the use case.
TASK_USES: Mapping[str, Callable[[Call, Services], Awaitable[Reply | Pieces]]] = {
    "task": make,
    "task_resume": resume,
    "task_get": get,
    "task_several": several,
    "task_things": things,
    "task_list": listed,
    "task_cancel": cancel,
    "task_delete": delete,
    "task_events": watch,
    "task_ask": ask,
    "task_callback": callback,
    "webhook_secret": webhook_secret,
}


def spoken_by(call: Call) -> TaskDialect | None:
    """The dialect of a call; None where it makes no tasks."""
    try:
        return task_dialect(call.operation.dialect)
    except LookupError:
        return None


def submission(call: Call, svc: Services) -> Submission:
    """The request as its dialect reads it, without its key."""
    x = call.x
    section = getattr(svc.settings, call.operation.dialect, None)
    return Submission(
        operation=call.operation,
        path=x.path.decode("ascii", "replace"),
        query=query_without_key(x.query),
        params={name: unquote(value) for name, value in call.params.items()},
        headers=_headers(x),
        body=call.body,
        key_id=call.key.id,
        key_options=call.key.options,
        settings=msgspec.to_builtins(section) if isinstance(section, msgspec.Struct) else {},
    )


def view(call: Call, svc: Services) -> View:
    """What a dialect needs to show the calling user's tasks."""
    return svc.tasks.view(call, base=base_of(call.x, svc.settings), user_id=call.key.user_id)


async def named(call: Call, svc: Services, spoken: TaskWriter) -> Task:
    """The task that `{id}` in the path names; the dialect's error where the caller has none of that id."""
    task_id = unquote(call.params["id"])
    task = await _found(call, svc, spoken, task_id)
    if task is None:
        raise spoken.missing(task_id)
    return task


async def _gone_on_from(call: Call, svc: Services, spoken: TaskWriter, task_id: str) -> Task:
    """A task that a body names; where the caller has none, the dialect's `missing_parent(task_id)`, else its `missing`."""
    task = await _found(call, svc, spoken, task_id)
    if task is None:
        raise getattr(spoken, "missing_parent", spoken.missing)(task_id)
    return task


async def _found(call: Call, svc: Services, spoken: TaskWriter, task_id: str) -> Task | None:
    task = await svc.tasks.get(task_id, call.key.user_id) if "\0" not in task_id else None
    return task if task is not None and _shows(call, spoken, task) else None


def _shows(call: Call, spoken: TaskWriter, task: Task) -> bool:
    """Whether a dialect shows a task to a caller: those of another dialect may look like nothing that it knows.

    A key that may see its own numbers only sees its own tasks only.
    """
    if not call.key.user_view and task.key_id != call.key.id:
        return False
    return task.dialect in (call.operation.dialect, *getattr(spoken, "SHOWS", ())) or _shows_every(spoken)


def _shows_every(spoken: TaskWriter) -> bool:
    return getattr(spoken, "EVERY_TASK", False) is True


async def waited(svc: Services, task: Task, seconds: float) -> Task:
    """The task once it has ended or waits for its caller, or as it is when the time is over."""
    until = monotonic() + seconds
    while not (task.ended or task.state == "paused") and (left := until - monotonic()) > 0:
        now = await svc.tasks.wait(task.id, task.user_id, beyond=task.version, seconds=left)
        if now is None:
            break
        task = now
    return task


def priced(reply: Reply, task: Task) -> Reply:
    """A reply that shows an ended task tells its cost."""
    if not task.ended:
        return reply
    return replace(reply, headers=(*reply.headers, (b"x-unigate-cost", format_usd(task.cost).encode())))


def _headers(x: Exchange) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in x.headers:
        name = raw.decode("latin-1")
        if name not in SECRET_HEADERS:
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found
