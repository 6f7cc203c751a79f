"""What an account is told, and where: shown, set and tried. Secrets are shown when they are made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, NotFound
from unigate.base.live_settings import LiveSettings
from unigate.base.money import parse_usd
from unigate.manage import load
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk
from unigate.manage.notification_forms import HIDDEN, TargetForm, kept_of, seal, target_of
from unigate.manage.pacing import pace
from unigate.manage.users import user_named
from unigate.store import crossings, ledger, outbox
from unigate.store import notifications as rows
from unigate.store.database import Tx
from unigate.store.notifications import Preferences, Target, usual_target
from unigate.store.outbox import OutboxRow
from unigate.store.users import UserRow
from unigate.tasks.account_events import EVENTS, TEST, may_ask, wants
from unigate.tasks.account_post import Post, address_of, host_of
from unigate.tasks.addresses import check_address
from unigate.tasks.herald import in_words, message
from unigate.tasks.outbox import tried
from unigate.tasks.sending import LIMITS, Outcome
from unigate.upstream import Client

#: Targets of one account, and tests that somebody may make in a minute.
MOST, TESTS = 5, 10
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """A target as it is shown; what it keeps secret is not."""

    #: None: nothing is kept of it yet, it is what everybody has.
    id: str | None
    kind: str
    enabled: bool
    #: Why it was switched off, where nobody did so.
    disabled_because: str
    failing_since: int | None
    #: What it is told of.
    events: list[str]
    #: They were asked for; else they are what is told without asking.
    chosen: bool
    address: str | None
    url: str | None
    format: str | None
    has_secret: bool
    headers: dict[str, str]
    template: str | None
    priority: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """What an account is told; money in nano-USD."""

    targets: list[TargetView]
    low_balance_usd: int
    language: str
    task_callback_url: str
    #: What may be asked for.
    events: list[str]
    #: Mails can be sent.
    mail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationForm:
    """What is to be; None: stays. `low_balance` -1 and `language` "": as the operator has it."""

    targets: tuple[TargetForm, ...] | None = None
    low_balance: int | None = None
    language: str | None = None
    task_callback_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTrial:
    """How the sending of a test to one target went; `status` 0: no answer came."""

    target: str
    kind: str
    message_id: str
    ok: bool
    status: int
    error: str
    ms: int
    answer: str


async def show_notifications(desk: Desk, user: str) -> NotificationView:
    """What a user is told, and where; NotFound."""
    settings = await load.load_settings(desk.db)
    async with desk.db.reading() as tx:
        row = await user_named(tx, user)
        return await _shown(tx, desk, row, settings)


async def set_notifications(
    desk: Desk, user: str, form: NotificationForm, *, actor: Actor = SHELL
) -> tuple[NotificationView, dict[str, str]]:
    """Change what a user is told; with secrets that were made, by target. BadRequest, NotFound.

    What waits for a target goes to its new address, and fails where it is gone or switched off.
    """
    settings = await load.load_settings(desk.db)
    async with desk.db.writing() as tx:
        row = await user_named(tx, user)
        old = await rows.begun(tx, row.id, now_ms())
        known = await rows.targets_of(tx, row.id)
        before = _facts(old, known)
        made: dict[str, str] = {}
        new_targets = list(known)
        if form.targets is not None:
            new_targets = []
            for place, (target, secret) in enumerate(_checked(desk, row, form.targets, known, settings)):
                new_targets.append(replace(target, position=place))
                if secret:
                    made[target.id] = secret
        new = _changed(old, form, new_targets, settings)
        await rows.put(tx, new)
        await _write(tx, row, known, new_targets)
        await noted(tx, actor, "set", "notification", row.id, row.name, before, _facts(new, new_targets))
        if new.low_balance != old.low_balance and await ledger.lock_wallet(tx, row.wallet_id) is not None:
            await crossings.spent(tx, [row.wallet_id], at=now_ms())
        return await _shown(tx, desk, row, settings), made


async def try_notifications(
    desk: Desk, user: str, target: str | None = None, *, client: Client | None = None, actor: Actor = SHELL
) -> list[TargetTrial]:
    """Send a test now, once, to all targets that are on, or to one, be it off; they stand among the deliveries.

    `client`: one that is for callers' addresses (`sending.LIMITS`); None: one of its own. NotFound, TooMany.
    """
    settings = await load.load_settings(desk.db)
    async with desk.db.writing() as tx:
        row = await user_named(tx, user)
        preferences = await rows.begun(tx, row.id, now_ms())
        known = await rows.targets_of(tx, row.id)
        wanted = [one for one in known if (one.enabled if target is None else one.id == target)]
        if not wanted:
            raise NotFound("There is no target to try." if target is None else f"There is no target {target!r}.")
        await pace(tx, actor, "test", "notification", TESTS)
        await noted(tx, actor, "test", "notification", row.id, row.name)
    happened = in_words(TEST, {}, now_ms(), preferences, settings)
    letters = [(one, message(one, address_of(one, row.email), happened)) for one in wanted]
    outcomes = await _sent(desk, settings, letters, client)
    at = now_ms()
    async with desk.db.writing() as tx:
        for (_, letter), outcome in zip(letters, outcomes, strict=True):
            state = "delivered" if outcome.ok else "failed"
            await outbox.add(tx, [replace(letter, state=state, tries=1, ended_at=at)])
            await outbox.log(tx, tried(letter, outcome, at))
    return [_trial(one, letter, outcome) for (one, letter), outcome in zip(letters, outcomes, strict=True)]


async def reseal(tx: Tx, desk: Desk) -> int:
    """Seal what another secret had sealed with that of today; how many it were. CannotOpen."""
    count = 0
    for target in await rows.sealed(tx):
        if not desk.vault.fresh(target.sealed.decode()):
            await rows.put_target(tx, seal(desk, target, kept_of(desk, target)))
            count += 1
    return count


async def _sent(
    desk: Desk, settings: LiveSettings, letters: Sequence[tuple[Target, OutboxRow]], client: Client | None
) -> list[Outcome]:
    sending = client or Client(LIMITS)
    post = Post(client=sending, unseal=desk.vault.open, notify=lambda: settings.notify, mail=lambda: settings.mail)
    try:
        return list(await asyncio.gather(*(post.send(letter, one) for one, letter in letters)))
    finally:
        if client is None:
            await sending.close()


def _trial(target: Target, letter: OutboxRow, outcome: Outcome) -> TargetTrial:
    return TargetTrial(
        target=target.id,
        kind=target.kind,
        message_id=letter.id,
        ok=outcome.ok,
        status=outcome.status,
        error=outcome.error,
        ms=outcome.ms,
        answer=outcome.answer,
    )


def _checked(
    desk: Desk, row: UserRow, forms: Sequence[TargetForm], known: Sequence[Target], settings: LiveSettings
) -> list[tuple[Target, str]]:
    if len(forms) > MOST:
        raise BadRequest(f"An account has at most {MOST} targets.", param="targets")
    by_id = {target.id: target for target in known}
    found = []
    for place, form in enumerate(forms):
        old = by_id.pop(form.id, None) if form.id is not None else None
        if form.id is not None and old is None:
            raise BadRequest(f"There is no target {form.id!r}, or it is named twice.", param=f"targets.{place}.id")
        allow = settings.notify.allow_private_targets
        found.append(target_of(desk, row.id, row.role, form, old, place=place, allow_private=allow))
    return found


def _changed(
    old: Preferences, form: NotificationForm, targets: Sequence[Target], settings: LiveSettings
) -> Preferences:
    if form.task_callback_url:
        check_address(form.task_callback_url, settings.notify.allow_private_targets, param="task_callback_url")
    if form.language and form.language not in LANGUAGES:
        raise BadRequest(f"A language is {' or '.join(LANGUAGES)}, not {form.language!r}.", param="language")
    asked = {event for one in targets if one.enabled for event in msgspec.json.decode(one.events, type=list[str])}
    return replace(
        old,
        low_balance=old.low_balance if form.low_balance is None else form.low_balance,
        language=old.language if form.language is None else form.language,
        task_callback_url=old.task_callback_url if form.task_callback_url is None else form.task_callback_url,
        wanted=f"|{'|'.join(sorted(asked))}|" if asked else "",
        changed_at=now_ms(),
    )


async def _write(tx: Tx, row: UserRow, old: Sequence[Target], new: Sequence[Target]) -> None:
    """Write a user's targets, with what follows for messages that wait for them."""
    now, before = now_ms(), {target.id: target for target in old}
    for target in new:
        was = before.pop(target.id, target)
        await rows.put_target(tx, target)
        address = address_of(target, row.email)
        if target.address != was.address and address:
            await outbox.readdress(tx, target.id, address, host_of(address))
        if not target.enabled:
            await outbox.end_of_webhook(tx, target.id, now)
    for gone in before:
        await rows.drop_target(tx, gone)
        await outbox.end_of_webhook(tx, gone, now)


async def _shown(tx: Tx, desk: Desk, row: UserRow, settings: LiveSettings) -> NotificationView:
    found = await rows.of_user(tx, row.id)
    preferences = found or Preferences(row.id)
    targets = await rows.targets_of(tx, row.id) if found is not None else [usual_target(row.id, now_ms())]
    usual = parse_usd(settings.notify.low_balance_usd)
    return NotificationView(
        targets=[_target_view(desk, row, target, kept=found is not None) for target in targets],
        low_balance_usd=usual if preferences.low_balance < 0 else preferences.low_balance,
        language=preferences.language or settings.notify.language,
        task_callback_url=preferences.task_callback_url,
        events=[name for name in EVENTS if may_ask(name, row.role)],
        mail=settings.mail.usable,
    )


def _target_view(desk: Desk, row: UserRow, target: Target, *, kept: bool) -> TargetView:
    inside = kept_of(desk, target)
    asked = msgspec.json.decode(target.events, type=list[str])
    email, webhook = target.kind == "email", target.kind == "webhook"
    return TargetView(
        id=target.id if kept else None,
        kind=target.kind,
        enabled=bool(target.enabled),
        disabled_because=target.disabled_because,
        failing_since=target.failing_since or None,
        events=asked or [name for name in EVENTS if wants(name, row.role, [])],
        chosen=bool(asked),
        address=(target.address or row.email) if email else None,
        url=None if email else target.address,
        format=target.format if webhook else None,
        has_secret=bool(inside.secret or inside.token),
        headers=dict.fromkeys(inside.headers, HIDDEN),
        template=target.template if webhook else None,
        priority=target.priority if target.kind == "gotify" else None,
    )


def _facts(preferences: Preferences, targets: Sequence[Target]) -> dict[str, object]:
    """What the audit log tells of an account's notifications."""
    told = [
        {"kind": one.kind, "address": one.address, "events": one.events, "enabled": bool(one.enabled)}
        for one in targets
    ]
    return {
        "targets": told,
        "low_balance": preferences.low_balance,
        "language": preferences.language,
        "task_callback_url": preferences.task_callback_url,
        "sealed": [one.sealed.decode() for one in targets],
    }
