"""Redemption codes: made in batches and shown once, redeemed by one user once, withdrawn before that.

A code is 20 characters of Crockford's base 32 (100 bits), kept as an HMAC. Whoever types it may leave out the dashes and
write it in lower case. Tries that fail are rows of the audit log, and those rows limit them, in all processes alike.
"""

import re
import secrets
from dataclasses import dataclass

from unigate.access.keys import Digest
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, CallerError, Conflict, Gone, NotFound, TooMany
from unigate.base.money import MAX_AMOUNT, format_usd
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_name
from unigate.manage.users import user_named
from unigate.store import codes as rows
from unigate.store import ledger, news, wallets
from unigate.store.codes import CodeRow
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice

#: Codes of one batch at most.
MOST = 1000
STATES = ("open", "redeemed", "withdrawn", "expired")
#: Tries of one user that may fail in so many milliseconds.
TRIES = 10
TRIES_MS = 900_000
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH, _GROUP = 20, 5
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V", "-": None, " ": None})
_CODE = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")
_REFUSED = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeView:
    """A code as it is shown; money in nano-USD, times in ms since 1970."""

    id: str
    last4: str
    batch: str
    amount: int
    expires_at: int | None
    #: open, redeemed, withdrawn, expired
    state: str
    #: Id of the user who redeemed it, None before.
    user_id: str | None
    redeemed_at: int | None
    #: Id of whoever made it.
    created_by: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """A code that was just made, with what is shown this once."""

    id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Codes that were made together."""

    batch: str
    amount: int
    expires_at: int | None
    codes: list[NewCode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What a redeemed code gave; `balance` is what the user has left in all."""

    id: str
    amount: int
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFilter:
    """Which codes are wanted; None: all."""

    state: str | None = None
    batch: str | None = None
    user: str | None = None


async def create_codes(
    desk: Desk,
    amount: int,
    *,
    count: int = 1,
    expires_at: int | None = None,
    batch: str | None = None,
    actor: Actor = SHELL,
) -> Batch:
    """Make `count` codes of `amount` nano-USD each; they are shown this once. BadRequest."""
    now = now_ms()
    if not 0 < amount <= MAX_AMOUNT:
        raise BadRequest("An amount is more than nothing and at most a million USD.", param="amount")
    if not 1 <= count <= MOST:
        raise BadRequest(f"A batch has 1 to {MOST} codes.", param="count")
    if expires_at is not None and expires_at <= now:
        raise BadRequest("Codes that have expired already cannot be made.", param="expires_at")
    name = check_name(batch, "batch") if batch is not None else ids.new("batch")
    digest = Digest(desk.secret)
    made = [_new() for _ in range(count)]
    new = [
        CodeRow(
            ids.new("code"), digest(code), code[-4:].decode(), name, amount, expires_at, "open", "", None, actor.id, now
        )
        for code in made
    ]
    async with desk.db.writing() as tx:
        await rows.add(tx, new)
        facts = {"count": count, "amount": format_usd(amount), "expires_at": expires_at}
        await noted(tx, actor, "create", "code", name, name, after=facts)
    shown = [NewCode(id=row.id, code=_shown(code)) for row, code in zip(new, made, strict=True)]
    return Batch(batch=name, amount=amount, expires_at=expires_at, codes=shown)


async def list_codes(desk: Desk, page: Page, wanted: CodeFilter | None = None) -> Slice[CodeView]:
    """A page of codes, newest first. BadRequest for a state that is none, NotFound for a user who is none."""
    wanted = wanted or CodeFilter()
    if wanted.state is not None and wanted.state not in STATES:
        raise BadRequest(f"A code is {', '.join(STATES)}, not {wanted.state!r}.", param="state")
    now = now_ms()
    async with desk.db.reading() as tx:
        user = (await user_named(tx, wanted.user)).id if wanted.user is not None else None
        found = await rows.page(tx, page, now=now, state=wanted.state, batch=wanted.batch, user_id=user)
    return found.map(lambda row: _view(row, now))


async def show_code(desk: Desk, id: str) -> CodeView:
    """One code by id; NotFound."""
    async with desk.db.reading() as tx:
        return _view(await _code(tx, id), now_ms())


async def withdraw_code(desk: Desk, id: str, *, actor: Actor = SHELL) -> CodeView:
    """Take a code out of use; again is no error. NotFound; Conflict (`code_redeemed`)."""
    async with desk.db.writing() as tx:
        if await rows.withdraw(tx, id):
            await noted(tx, actor, "withdraw", "code", id, (await _code(tx, id)).batch, after={"state": "withdrawn"})
        row = await _code(tx, id)
        if row.state == "redeemed":
            raise Conflict("This code has been redeemed already.", code="code_redeemed")
        return _view(row, now_ms())


async def withdraw_batch(desk: Desk, batch: str, *, actor: Actor = SHELL) -> int:
    """Take all codes of a batch out of use that nobody has redeemed; how many there were. NotFound."""
    async with desk.db.writing() as tx:
        if not await rows.count_batch(tx, batch):
            raise NotFound(f"There is no batch {batch!r}.")
        count = await rows.withdraw_batch(tx, batch)
        if count:
            await noted(tx, actor, "withdraw", "code", batch, batch, after={"count": count})
        return count


async def redeem(desk: Desk, user: str, code: str, *, actor: Actor = SHELL) -> Redeemed:
    """Give a user what a code is worth, once.

    NotFound (`code_not_found`), Conflict (`code_redeemed`), Gone (`code_expired`, `code_withdrawn`), TooMany after too
    many tries that failed.
    """
    now = now_ms()
    typed = _typed(code)
    refused: CallerError | None = None
    async with desk.db.writing() as tx:
        row = await user_named(tx, user)
        await ledger.lock_wallet(tx, row.wallet_id)  # of one user's tries, one comes after the other
        await _check_tries(tx, row.id, now)
        found, taken = await _take(tx, [Digest(secret)(typed) for secret in (desk.secret, *desk.others)], row.id, now)
        if found is not None and taken:
            await ledger.grant(
                tx,
                id=f"grant:code:{found.id}",
                wallet_id=row.wallet_id,
                amount=found.amount,
                at=now,
                note=f"code {found.id}",
            )
            facts = {"user": row.name, "amount": format_usd(found.amount)}
            await noted(tx, actor, "redeem", "code", found.id, found.batch, after=facts)
            await news.add(tx, [news.made("topup.done", row.id, {"amount": found.amount}, now)])
            balance = (await wallets.shown(tx, row.wallet_id)).balance
            return Redeemed(id=found.id, amount=found.amount, balance=balance)
        refused = _refusal(found)
        await noted(tx, actor, _REFUSED, "code", row.id, row.name, after={"reason": refused.code})
    raise refused


async def _take(tx: Tx, digests: list[bytes], user_id: str, now: int) -> tuple[CodeRow | None, bool]:
    """The code that is known by one of these, if any, and whether the user has it now."""
    for digest in digests:
        taken = bool(await rows.redeem(tx, digest, user_id, now))
        found = await rows.by_digest(tx, digest)
        if found is not None:
            return found, taken
    return None, False


def _refusal(row: CodeRow | None) -> CallerError:
    """Why a code could not be redeemed."""
    if row is None:
        return NotFound("There is no such code.", code="code_not_found", param="code")
    if row.state == "redeemed":
        return Conflict("This code has been redeemed already.", code="code_redeemed", param="code")
    if row.state == "withdrawn":
        return Gone("This code has been withdrawn.", code="code_withdrawn", param="code")
    return Gone("This code has expired.", code="code_expired", param="code")


async def _check_tries(tx: Tx, user_id: str, now: int) -> None:
    count, first = await rows.tries(tx, user_id, _REFUSED, now - TRIES_MS)
    if count >= TRIES:
        raise TooMany("Too many codes that were none: try again later.", retry_after=(first + TRIES_MS - now) / 1000)


async def _code(tx: Tx, id: str) -> CodeRow:
    row = await rows.by_id(tx, id)
    if row is None:
        raise NotFound(f"There is no code {id!r}.")
    return row


def _new() -> bytes:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)).encode()


def _shown(code: bytes) -> str:
    text = code.decode()
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def _typed(text: str) -> bytes:
    """What was typed, as it was made; what can't be a code is one that nobody made."""
    plain = text.strip().upper().translate(_ALIKE)
    return plain.encode() if _CODE.fullmatch(plain) else b""


def _view(row: CodeRow, now: int) -> CodeView:
    expired = row.state == "open" and row.expires_at is not None and row.expires_at <= now
    return CodeView(
        id=row.id,
        last4=row.last4,
        batch=row.batch,
        amount=row.amount,
        expires_at=row.expires_at,
        state="expired" if expired else row.state,
        user_id=row.user_id or None,
        redeemed_at=row.redeemed_at,
        created_by=row.created_by,
        created_at=row.created_at,
    )
