"""`/api/ledger`: what wallets gave and got, and whether the books agree."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from unigate.base.errors import NotFound
from unigate.http.api.calls import own
from unigate.http.api.fields import Time, TimeIn, Usd, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import ledger, users

router = api_router("ledger")


class Transfer(View):
    """A transfer as its wallet sees it."""

    id: str
    at: Time
    code: str
    amount: Usd = Field(description="Less than nothing where the wallet gave.")
    other: str = Field(description="The account on the other side.")
    hold_id: str
    note: str


class TransferQuery(Listed):
    """Which transfers."""

    user: str | None = Field(None, description="By name or id; the caller where left out. Others': operators only.")
    code: Literal["grant", "take_back", "refund", "capture", "overrun", "write_off"] | None = None
    since: TimeIn | None = None
    until: TimeIn | None = None


class Finding(View):
    """Something that should not be."""

    rule: str
    subject: str
    says: int = Field(description="What the books say: nano-USD, or a count where the rule is about one.")
    adds_up_to: int


class Report(View):
    """What a check of the books found."""

    sound: bool
    findings: list[Finding]
    open_holds: int
    held: Usd
    in_use: Usd = Field(description="What of that calls use, or have used without having been moved yet.")


@route(router, "GET", "/ledger/transfers", role="user")
async def list_transfers(desk: TheDesk, who: Caller, query: Annotated[TransferQuery, Query()]) -> Paged[Transfer]:
    """List the transfers of a wallet, newest first."""
    user = who.user_id
    if query.user is not None:
        if query.user not in (who.user_id, who.name) and own(who) is not None:
            raise NotFound(f"There is no user {query.user!r}.", param="user")
        user = (await users.show_user(desk, query.user)).id
    found = await ledger.list_transfers(desk, user, query.page(), code=query.code, since=query.since, until=query.until)
    return paged(found, Transfer.model_validate)


@route(router, "GET", "/ledger/check", role="owner")
async def check_ledger(desk: TheDesk) -> Report:
    """Recompute every balance from what was appended, and compare."""
    return Report.model_validate(await ledger.checked(desk))
