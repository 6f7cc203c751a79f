"""Users' own webhooks: made, changed, tried and deleted. A secret is shown when it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.manage import load
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, json_text
from unigate.manage.pacing import pace
from unigate.manage.users import user_named
from unigate.store import outbox as outbox_rows
from unigate.store import webhooks as rows
from unigate.store.database import Tx
from unigate.store.names import names
from unigate.store.pages import Page, Slice
from unigate.store.webhooks import Webhook
from unigate.tasks import notices, signing
from unigate.tasks.addresses import check_address
from unigate.tasks.outbox import tried
from unigate.tasks.sending import LIMITS, Letter, Outcome, send
from unigate.tasks.signing import Secrets
from unigate.upstream import Client

#: Webhooks of one user.
MOST = 20
#: Tests that somebody may make in a minute.
TESTS = 10
EVENTS = notices.EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A webhook as it is shown; times in ms since 1970."""

    id: str
    user_id: str
    user: str
    url: str
    #: Empty: all.
    events: list[str]
    #: It is signed by a secret of its own, not by its user's.
    own_secret: bool
    enabled: bool
    #: Why it was switched off, where nobody did so.
    disabled_because: str
    #: From when on everything failed; None: the last message was taken, or there was none.
    failing_since: int | None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookForm:
    """What is to be of a webhook; None in a change: stays. `secret`: "" is the user's."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    secret: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How the sending of a test event went."""

    message_id: str
    ok: bool
    #: 0: no answer came.
    status: int
    error: str
    ms: int
    #: The beginning of what came back.
    answer: str


async def list_webhooks(
    desk: Desk, page: Page, *, user: str | None = None, enabled: bool | None = None, of: str | None = None
) -> Slice[WebhookView]:
    """A page of webhooks, newest first, of the user with the id `of` only where one is given. NotFound (user)."""
    async with desk.db.reading() as tx:
        user_id = await users_id(tx, user, of)
        found = await rows.page(tx, page, user_id=user_id, enabled=enabled)
        called = await names(tx, "user", (row.user_id for row in found.rows))
    return found.map(lambda row: _view(row, called))


async def show_webhook(desk: Desk, id: str, *, of: str | None = None) -> WebhookView:
    """One webhook; NotFound."""
    async with desk.db.reading() as tx:
        return await _shown(tx, await _webhook(tx, id, of))


async def create_webhook(
    desk: Desk, user: str, form: WebhookForm, *, of: str | None = None, actor: Actor = SHELL
) -> tuple[WebhookView, str]:
    """Make a webhook; with the secret by which it is signed. BadRequest, NotFound (user), Conflict (too many)."""
    await _check(desk, form)
    async with desk.db.writing() as tx:
        user_id = await users_id(tx, user, of)
        assert user_id is not None
        if await rows.count(tx, user_id) >= MOST:
            raise Conflict(f"A user has at most {MOST} webhooks.")
        blank = Webhook(ids.new("hook"), user_id, "", "[]", b"", 1, "", 0, now_ms())
        made = _changed(desk, blank, form)
        await rows.add(tx, made)
        await noted(tx, actor, "create", "webhook", made.id, made.url, after=_facts(made))
        return await _shown(tx, made), _secret(desk, made)


async def set_webhook(
    desk: Desk, id: str, form: WebhookForm, *, of: str | None = None, actor: Actor = SHELL
) -> WebhookView:
    """Change a webhook; what waits for it goes to its new address, and fails where it is switched off."""
    await _check(desk, form)
    async with desk.db.writing() as tx:
        old = await _webhook(tx, id, of)
        new = _changed(desk, old, form)
        await rows.change(tx, new)
        if new.url != old.url:
            await outbox_rows.readdress(tx, id, new.url, notices.host_of(new.url))
        if not new.enabled:
            await outbox_rows.end_of_webhook(tx, id, now_ms())
        await noted(tx, actor, "set", "webhook", id, new.url, _facts(old), _facts(new))
        return await _shown(tx, new)


async def rotate_webhook(
    desk: Desk, id: str, *, of: str | None = None, actor: Actor = SHELL
) -> tuple[WebhookView, str]:
    """Give a webhook another secret, shown this once; for a day messages are signed by the old one too."""
    async with desk.db.writing() as tx:
        old = await _webhook(tx, id, of)
        secret, before = signing.new_secret(), _secret(desk, old)
        new = replace(old, secret=_seal(desk, id, secret, before, now_ms() + signing.OVERLAP_MS))
        await rows.change(tx, new)
        await noted(tx, actor, "rotate", "webhook", id, new.url, {"secret": before}, {"secret": secret})
        return await _shown(tx, new), secret


async def delete_webhook(desk: Desk, id: str, *, of: str | None = None, actor: Actor = SHELL) -> None:
    """Delete a webhook; what waits for it is not sent any more. NotFound."""
    async with desk.db.writing() as tx:
        old = await _webhook(tx, id, of)
        await rows.drop(tx, id)
        await outbox_rows.end_of_webhook(tx, id, now_ms())
        await noted(tx, actor, "delete", "webhook", id, old.url, before=_facts(old))


async def try_webhook(
    desk: Desk, id: str, *, of: str | None = None, client: Client | None = None, actor: Actor = SHELL
) -> Trial:
    """Send an event `test` now, once, also to a webhook that is off; it stands in the list of deliveries.

    `client`: one that is for callers' addresses (`sending.LIMITS`); None: one of its own. NotFound, TooMany.
    """
    async with desk.db.writing() as tx:
        webhook = await _webhook(tx, id, of)
        await rows.lock_of_user(tx, webhook.user_id)
        await pace(tx, actor, "test", "webhook", TESTS)
        await noted(tx, actor, "test", "webhook", id, webhook.url)
    row = notices.trial(webhook)
    outcome = await _sent(desk, client, webhook, row)
    at = now_ms()
    state = "delivered" if outcome.ok else "failed"
    async with desk.db.writing() as tx:
        await outbox_rows.add(tx, [replace(row, state=state, tries=1, ended_at=at)])
        await outbox_rows.log(tx, tried(row, outcome, at))
    return Trial(
        message_id=row.id,
        ok=outcome.ok,
        status=outcome.status,
        error=outcome.error,
        ms=outcome.ms,
        answer=outcome.answer,
    )


async def users_id(tx: Tx, user: str | None, of: str | None) -> str | None:
    """The id of the user who is asked for, by name or id; `of` may ask for themselves only. NotFound."""
    if user is None:
        return of
    found = (await user_named(tx, user)).id
    if of not in (None, found):
        raise NotFound(f"There is no user {user!r}.")
    return found


async def reseal(tx: Tx, desk: Desk) -> int:
    """Seal what another secret had sealed with that of today; how many it were. CannotOpen."""
    count = 0
    for row in await rows.sealed(tx):
        if not desk.vault.fresh(row.secret.decode()):
            where = signing.context(row.id)
            text = desk.vault.open(row.secret.decode(), where)
            await rows.change(tx, replace(row, secret=desk.vault.seal(text, where).encode()))
            count += 1
    return count


def secrets_of(desk: Desk) -> Secrets:
    """The secrets by which a gateway's messages are signed."""
    return Secrets(gateway=(desk.secret, *desk.others), unseal=desk.vault.open)


async def _sent(desk: Desk, client: Client | None, webhook: Webhook, row: outbox_rows.OutboxRow) -> Outcome:
    terms = (await load.load_settings(desk.db)).notify
    secrets = secrets_of(desk).of_webhook(webhook.id, webhook.user_id, webhook.secret, now_ms())
    letter = Letter(id=row.id, url=row.url, headers=notices.headers_of(row), body=row.body, secrets=secrets)
    sending = client or Client(LIMITS)
    try:
        return await send(sending, letter, seconds=terms.seconds, allow_private=terms.allow_private_targets)
    finally:
        if client is None:
            await sending.close()


async def _check(desk: Desk, form: WebhookForm) -> None:
    """BadRequest for what a webhook can't be."""
    if form.url is not None:
        terms = (await load.load_settings(desk.db)).notify
        check_address(form.url, terms.allow_private_targets, param="url")
    for event in form.events or ():
        if event not in EVENTS:
            raise BadRequest(f"An event is one of {', '.join(EVENTS)}, not {event!r}.", param="events")
    if form.secret and not signing.is_secret(form.secret):
        raise BadRequest("A secret is `whsec_` and 24 to 64 bytes in base 64.", param="secret")


def _changed(desk: Desk, old: Webhook, form: WebhookForm) -> Webhook:
    new = old
    if form.url is not None:
        new = replace(new, url=form.url)
    if form.events is not None:
        new = replace(new, events=json_text(sorted(set(form.events))))
    if form.secret is not None:
        new = replace(new, secret=_seal(desk, old.id, form.secret) if form.secret else b"")
    if form.enabled is not None:
        new = replace(new, enabled=int(form.enabled), disabled_because="")
        if form.enabled and not old.enabled:
            new = replace(new, failing_since=0)
    return new


def _seal(desk: Desk, id: str, secret: str, before: str = "", until: int = 0) -> bytes:
    return desk.vault.seal(signing.to_seal(secret, before, until), signing.context(id)).encode()


def _secret(desk: Desk, webhook: Webhook) -> str:
    return secrets_of(desk).of_webhook(webhook.id, webhook.user_id, webhook.secret, now_ms())[0]


async def _webhook(tx: Tx, id: str, of: str | None) -> Webhook:
    found = (await rows.by_ids(tx, [id])).get(id)
    if found is None or of not in (None, found.user_id):
        raise NotFound(f"There is no webhook {id!r}.")
    return found


async def _shown(tx: Tx, row: Webhook) -> WebhookView:
    return _view(row, await names(tx, "user", [row.user_id]))


def _facts(row: Webhook) -> dict[str, object]:
    """What the audit log tells of a webhook."""
    facts: dict[str, object] = {"url": row.url, "events": notices.asked_for(row), "enabled": bool(row.enabled)}
    return facts | ({"secret": row.secret.decode()} if row.secret else {})


def _view(row: Webhook, called: Mapping[str, str]) -> WebhookView:
    events: Sequence[str] = msgspec.json.decode(row.events, type=list[str])
    return WebhookView(
        id=row.id,
        user_id=row.user_id,
        user=called.get(row.user_id, ""),
        url=row.url,
        events=list(events),
        own_secret=bool(row.secret),
        enabled=bool(row.enabled),
        disabled_because=row.disabled_because,
        failing_since=row.failing_since or None,
        created_at=row.created_at,
    )
