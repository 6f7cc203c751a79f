"""Requests: how single calls went, with the tries that each took. Changes nothing; `own` as in `call_filter.py`."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from unigate.base.errors import NotFound
from unigate.manage.call_filter import CallFilter, Names, call_page, resolved
from unigate.manage.desk import Desk
from unigate.spec.record import Attempt
from unigate.store import usage as rows
from unigate.store.names import names
from unigate.store.pages import Page, Slice
from unigate.store.usage import UsageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """How one call went; times in ms since 1970 or microseconds, money in nano-USD. None: not for this user to see."""

    id: str
    at: int
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    operation: str
    model: str
    channel_id: str | None
    channel: str | None
    upstream_model: str | None
    #: The status that the caller got.
    status: int
    ended: str
    stream: bool
    #: Our code for what went wrong, "" where nothing did.
    error: str
    tries: int
    first_us: int
    total_us: int
    own_us: int
    charged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TryView:
    """One try at one channel, by what is known of both now."""

    channel_id: str | None
    channel: str | None
    credential_id: str | None
    #: The upstream's status, 0 where there was none.
    status: int
    error: str
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDetail:
    """One call with its tries and what it was charged by."""

    request: RequestView
    attempts: list[TryView]
    group: str
    estimated: bool
    units: dict[str, int]
    cost: int
    overrun: int
    written_off: int
    refunded: int
    price_id: str
    multiplier: int
    #: The transfer that paid it, "" where it was free.
    transfer_id: str
    #: The provider's own id of it.
    upstream_request_id: str | None


async def list_requests(
    desk: Desk, page: Page, wanted: CallFilter | None = None, *, own: str | None = None
) -> Slice[RequestView]:
    """A page of calls, newest first. BadRequest, NotFound."""
    return await call_page(desk, page, wanted, own, _view)


async def find_requests(
    desk: Desk, id: str, wanted: CallFilter | None = None, *, own: str | None = None
) -> list[RequestView]:
    """The call of that id if it fulfils the filter and may be seen, else none. BadRequest, NotFound."""
    async with desk.db.reading() as tx:
        given = await resolved(tx, wanted or CallFilter(), own)
        row = await rows.by_id(tx, id)
        if row is None or not given.fits(row):
            return []
        called = await Names.of(tx, [row], own=own)
    return [_view(row, called)]


async def show_request(desk: Desk, id: str, *, own: str | None = None) -> RequestDetail:
    """One call with its attempts; NotFound where there is none, or it is another user's."""
    async with desk.db.reading() as tx:
        row = await rows.by_id(tx, id)
        if row is None or own not in (None, row.user_id):
            raise NotFound(f"There is no request {id!r}.")
        tries = _attempts(row)
        called = await Names.of(tx, [row], own=own)
        channels = await names(tx, "channel", (one.channel for one in tries)) if own is None else {}
    return RequestDetail(
        request=_view(row, called),
        attempts=[_try(one, channels, private=own is None) for one in tries],
        group=row.group_name,
        estimated=bool(row.estimated),
        units=msgspec.json.decode(row.units) if row.units else {},
        cost=row.cost,
        overrun=row.overrun,
        written_off=row.written_off,
        refunded=row.refunded,
        price_id=row.price_id,
        multiplier=row.multiplier,
        transfer_id=row.transfer_id,
        upstream_request_id=row.upstream_request_id if own is None else None,
    )


def _attempts(row: UsageRow) -> list[Attempt]:
    """The tries of a call; a row says nothing more of the only one that went well."""
    if row.attempts:
        return msgspec.json.decode(row.attempts, type=list[Attempt])
    if not row.channel_id:
        return []
    return [Attempt(row.channel_id, "", row.status, "", row.first_us // 1000)]


def _try(one: Attempt, channels: Mapping[str, str], *, private: bool) -> TryView:
    return TryView(
        channel_id=one.channel if private else None,
        channel=channels.get(one.channel),
        credential_id=one.credential or None if private else None,
        status=one.status,
        error=one.error,
        milliseconds=one.ms,
    )


def _view(row: UsageRow, called: Names) -> RequestView:
    return RequestView(
        id=row.id,
        at=row.at,
        user_id=row.user_id,
        user=called.users.get(row.user_id),
        key_id=row.key_id,
        key=called.keys.get(row.key_id),
        operation=row.operation,
        model=row.model,
        channel_id=row.channel_id if called.private else None,
        channel=called.channels.get(row.channel_id),
        upstream_model=row.upstream_model if called.private else None,
        status=row.status,
        ended=row.ended,
        stream=bool(row.stream),
        error=row.error,
        tries=len(_attempts(row)),
        first_us=row.first_us,
        total_us=row.total_us,
        own_us=row.own_us,
        charged=row.charged,
    )
