"""Messages to callers' addresses, how each try to deliver them went, and sending one again."""

from collections.abc import Sequence
from dataclasses import dataclass

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk
from unigate.manage.pacing import pace
from unigate.manage.webhooks import users_id
from unigate.store import outbox as rows
from unigate.store.database import Tx
from unigate.store.notifications import TARGET, accounts
from unigate.store.outbox import Delivery, OutboxRow
from unigate.store.pages import Page, Slice
from unigate.store.webhooks import Webhook
from unigate.tasks import account_post
from unigate.tasks.account_post import address_of
from unigate.tasks.notices import host_of
from unigate.tasks.outbox import receivers

#: Messages that somebody may have sent again in a minute.
REPLAYS = 60
STATES = ("waiting", "delivered", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TryView:
    """One try; `status` 0: no answer came."""

    at: int
    status: int
    error: str
    ms: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A message as it is shown; times in ms since 1970."""

    id: str
    user_id: str
    #: None: it is about no task.
    task_id: str | None
    #: Of a webhook or of a target of notifications; None: it goes to the callback that a request named.
    webhook_id: str | None
    #: `standard`, or the name of the dialect that wrote it.
    form: str
    event: str
    url: str
    #: waiting, delivered, failed
    state: str
    created_at: int
    #: When the next try is due, None after the end.
    due_at: int | None
    ended_at: int | None
    tries: list[TryView]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages are wanted; None: all."""

    user: str | None = None
    task: str | None = None
    webhook: str | None = None
    state: str | None = None
    #: Only what was sent to targets of notifications.
    told: bool = False


async def list_messages(
    desk: Desk, page: Page, wanted: MessageFilter | None = None, *, of: str | None = None
) -> Slice[MessageView]:
    """A page of messages, newest first, of the user with the id `of` only where one is given. BadRequest, NotFound (user)."""
    wanted = wanted or MessageFilter()
    if wanted.state is not None and wanted.state not in STATES:
        raise BadRequest(f"A message is {', '.join(STATES)}, not {wanted.state!r}.", param="state")
    async with desk.db.reading() as tx:
        user_id = await users_id(tx, wanted.user, of)
        found = await rows.page(
            tx,
            page,
            user_id=user_id,
            task_id=wanted.task,
            webhook_id=wanted.webhook,
            state=wanted.state,
            told=wanted.told,
        )
        tries = await rows.tries(tx, [row.id for row in found.rows])
    return found.map(lambda row: _view(row, tries[row.id]))


async def show_message(desk: Desk, id: str, *, of: str | None = None) -> tuple[MessageView, str]:
    """One message, and its body; NotFound."""
    async with desk.db.reading() as tx:
        row = await _message(tx, id, of)
        return await _shown(tx, row), row.body.decode(errors="replace")


async def replay_message(
    desk: Desk, id: str, *, told: bool = False, of: str | None = None, actor: Actor = SHELL
) -> MessageView:
    """Send a message again, with the same id and all its tries; one that still waits is sent now.

    `told`: only what was sent to a target of notifications.
    NotFound; Conflict where its webhook is gone or switched off; TooMany.
    """
    async with desk.db.writing() as tx:
        row = await _message(tx, id, of)
        if told and not row.webhook_id.startswith(TARGET):
            raise NotFound(f"There is no message {id!r}.")
        await pace(tx, actor, "replay", "delivery", REPLAYS)
        url, host = row.url, row.host
        if row.webhook_id:
            receiver = (await receivers(tx, [row.webhook_id])).get(row.webhook_id)
            what = "target" if row.webhook_id.startswith(TARGET) else "webhook"
            if receiver is None:
                raise Conflict(f"The {what} of this message is gone.")
            if not receiver.enabled:
                raise Conflict(f"The {what} of this message is switched off.")
            if isinstance(receiver, Webhook):
                url, host = receiver.url, host_of(receiver.url)
            else:
                account = (await accounts(tx, [row.user_id])).get(row.user_id)
                url = address_of(receiver, account.email if account is not None else None) or url
                host = account_post.host_of(url)
        await rows.again(tx, id, now_ms(), url=url, host=host)
        await noted(tx, actor, "replay", "delivery", id, row.url, after={"event": row.event, "state": row.state})
        return await _shown(tx, await _message(tx, id, of))


async def _message(tx: Tx, id: str, of: str | None) -> OutboxRow:
    row = await rows.by_id(tx, id)
    if row is None or of not in (None, row.user_id):
        raise NotFound(f"There is no message {id!r}.")
    return row


async def _shown(tx: Tx, row: OutboxRow) -> MessageView:
    return _view(row, (await rows.tries(tx, [row.id]))[row.id])


def _view(row: OutboxRow, tries: Sequence[Delivery]) -> MessageView:
    return MessageView(
        id=row.id,
        user_id=row.user_id,
        task_id=row.task_id or None,
        webhook_id=row.webhook_id or None,
        form=row.form,
        event=row.event,
        url=row.url,
        state=row.state,
        created_at=row.created_at,
        due_at=row.due_at if row.state == "waiting" else None,
        ended_at=row.ended_at or None,
        tries=[TryView(at=one.at, status=one.status, error=one.error, ms=one.ms, answer=one.answer) for one in tries],
    )
