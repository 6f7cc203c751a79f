"""What is told of a task, to whom and in which form. Nothing is sent here.

Its dialect writes to the callback that the request named; to the user's own webhooks we write ourselves.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import structlog

from unigate.base import ids
from unigate.base.clock import now_ms, utc
from unigate.dialects import TaskDialect, writer
from unigate.spec.task import Headers, Task, TaskState, View
from unigate.store import news
from unigate.store.news import News
from unigate.store.outbox import OutboxRow
from unigate.store.webhooks import Webhook
from unigate.tasks.addresses import place

log: Any = structlog.get_logger("unigate.tasks")
#: The form of messages to users' own webhooks, and the dialect whose task is in them.
STANDARD, _UNIFIED = "standard", "tasks"
#: What a user's own webhook may ask for, by the end that it tells of.
_EVENTS: dict[TaskState, str] = {
    "succeeded": "task.succeeded",
    "failed": "task.failed",
    "canceled": "task.canceled",
    "unknown": "task.failed",
}
EVENTS = tuple(dict.fromkeys(_EVENTS.values()))
TEST = "test"
_JSON = ((b"content-type", b"application/json"),)
Dialects = Callable[[str], TaskDialect]


def spoken(name: str) -> TaskDialect:
    """The dialect of that name, which may show tasks without making any; LookupError."""
    return cast(TaskDialect, writer(name))


def notices(
    before: Task | None,
    after: Task,
    view: View,
    webhooks: Sequence[Webhook] = (),
    *,
    dialects: Dialects = spoken,
) -> list[OutboxRow]:
    """The messages that tell of a task's end, for the transaction that ends it; none while it has not ended.

    They are as they are now: each try sends the same body with the same id. What can't be written is left out, and logged:
    a task ends all the same.
    """
    if not after.ended:
        return []
    return [*callbacks(before, after, view, dialects=dialects), *_own(after, view, webhooks, dialects=dialects)]


def callbacks(before: Task | None, after: Task, view: View, *, dialects: Dialects = spoken) -> list[OutboxRow]:
    """What the callback that a request named is told of a change; often nothing."""
    notify = after.notify
    if notify is None or not notify.url:
        return []
    found = []
    try:
        dialect = dialects(after.dialect)
        for event in dialect.events(before, after):
            if notify.events and event not in notify.events:
                continue
            headers, body = dialect.write_notice(after, event, view)
            found.append(
                message(
                    user_id=after.user_id,
                    task_id=after.id,
                    form=after.dialect,
                    event=event,
                    url=notify.url,
                    headers=headers,
                    signed=dialect.SIGNS,
                    body=body,
                )
            )
    except Exception:
        log.exception("a callback could not be written", task=after.id, dialect=after.dialect)
    return found


def _own(after: Task, view: View, webhooks: Sequence[Webhook], *, dialects: Dialects) -> list[OutboxRow]:
    event = _EVENTS[after.state]
    wanted = [one for one in webhooks if one.enabled and event in (asked_for(one) or EVENTS)]
    if not wanted:
        return []
    try:
        body = event_body(event, dialects(_UNIFIED).write_task(after, view))
    except Exception:
        log.exception("an event could not be written", task=after.id, dialect=after.dialect)
        return []
    return [
        message(
            user_id=one.user_id,
            task_id=after.id,
            webhook_id=one.id,
            form=STANDARD,
            event=event,
            url=one.url,
            headers=_JSON,
            signed=True,
            body=body,
        )
        for one in wanted
    ]


def task_news(after: Task, view: View, wanted: str, *, dialects: Dialects = spoken) -> list[News]:
    """What accounts are told of a task's end where they want to hear of it: `wanted` has the events between bars."""
    event = _EVENTS[after.state] if after.ended else ""
    if f"|{event}|" not in wanted:
        return []
    try:
        task = dialects(_UNIFIED).write_task(after, view).decode()
    except Exception:
        log.exception("an event could not be written", task=after.id, dialect=after.dialect)
        return []
    facts = {"task_id": after.id, "operation": after.operation, "task": task}
    return [news.made(event, after.user_id, facts, now_ms())]


def asked_for(webhook: Webhook) -> list[str]:
    """The events that a webhook was asked to hear of; empty: all."""
    return msgspec.json.decode(webhook.events, type=list[str])


def event_body(event: str, data: bytes) -> bytes:
    """The body of a message of ours: what happened, when, and the JSON that is said of it."""
    timestamp = utc(now_ms()).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    return msgspec.json.encode({"type": event, "timestamp": timestamp, "data": msgspec.Raw(data)})


def trial(webhook: Webhook) -> OutboxRow:
    """A message by which the way to a webhook is tried."""
    data = msgspec.json.encode({"webhook_id": webhook.id, "text": "This message only tries the way to you."})
    return message(
        user_id=webhook.user_id,
        webhook_id=webhook.id,
        form=STANDARD,
        event=TEST,
        url=webhook.url,
        headers=_JSON,
        signed=True,
        body=event_body(TEST, data),
    )


def message(
    *,
    user_id: str,
    form: str,
    event: str,
    url: str,
    headers: Headers,
    signed: bool,
    body: bytes,
    task_id: str = "",
    webhook_id: str = "",
) -> OutboxRow:
    """A message that is due at once."""
    now = now_ms()
    return OutboxRow(
        id=ids.new("msg"),
        user_id=user_id,
        task_id=task_id,
        webhook_id=webhook_id,
        form=form,
        event=event,
        url=url,
        host=host_of(url),
        headers=msgspec.json.encode({name.decode(): value.decode("latin-1") for name, value in headers}).decode(),
        signed=int(signed),
        body=body,
        state="waiting",
        tries=0,
        created_at=now,
        due_at=now,
    )


def host_of(url: str) -> str:
    """By which messages to one host are counted; "" for what is no address (it fails when it is sent)."""
    try:
        return place(url, allow_private=True).host
    except ValueError:
        return ""


def headers_of(row: OutboxRow) -> Headers:
    """A message's headers beside those of a signature."""
    found = msgspec.json.decode(row.headers, type=dict[str, str])
    return tuple((name.encode(), value.encode("latin-1")) for name, value in found.items())
