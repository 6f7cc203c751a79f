"""`/api/codes`: redemption codes, made by operators and redeemed by users."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from unigate.http.api.fields import Form, Time, TimeIn, Usd, UsdIn, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import codes
from unigate.manage.codes import MOST, CodeFilter

router = api_router("codes")


class NewCodes(Form):
    """Codes to be made."""

    amount: UsdIn = Field(description="What each is worth.")
    count: int = Field(1, ge=1, le=MOST)
    expires_at: TimeIn | None = None
    batch: str | None = Field(None, min_length=1, max_length=200, description="A name by which they are found again.")


class NewCode(View):
    """A code."""

    id: str
    code: str = Field(description="Shown this once.")


class Batch(View):
    """Codes that were made."""

    batch: str
    amount: Usd
    expires_at: Time | None
    codes: list[NewCode]


class Code(View):
    """A code as it stands."""

    id: str
    last4: str
    batch: str
    amount: Usd
    expires_at: Time | None
    state: str = Field(description="`open`, `redeemed`, `withdrawn`, or `expired`.")
    user_id: str | None = Field(description="Who redeemed it.")
    redeemed_at: Time | None
    created_by: str
    created_at: Time


class CodeQuery(Listed):
    """Which codes."""

    state: Literal["open", "redeemed", "withdrawn", "expired"] | None = None
    batch: str | None = None
    user: str | None = Field(None, description="Who redeemed them, by name or id.")


class WholeBatch(Form):
    """Codes of one batch."""

    batch: str


class Withdrawn(View):
    """How many codes were taken out of use."""

    count: int


class Redemption(Form):
    """A code as it was typed."""

    code: str = Field(min_length=1, max_length=200)


class Redeemed(View):
    """What a code gave."""

    id: str
    amount: Usd
    balance: Usd


@route(router, "GET", "/codes", role="operator")
async def list_codes(desk: TheDesk, query: Annotated[CodeQuery, Query()]) -> Paged[Code]:
    """List codes, newest first."""
    wanted = CodeFilter(state=query.state, batch=query.batch, user=query.user)
    return paged(await codes.list_codes(desk, query.page(), wanted), Code.model_validate)


@route(router, "POST", "/codes", role="operator", audit="code.create", status=201)
async def create_codes(desk: TheDesk, who: Caller, form: NewCodes) -> Batch:
    """Make codes, which are shown this once."""
    made = await codes.create_codes(
        desk, form.amount, count=form.count, expires_at=form.expires_at, batch=form.batch, actor=who.actor
    )
    return Batch.model_validate(made)


@route(router, "POST", "/codes/redeem", role="user", audit="code.redeem")
async def redeem_code(desk: TheDesk, who: Caller, form: Redemption) -> Redeemed:
    """Redeem a code for the caller."""
    return Redeemed.model_validate(await codes.redeem(desk, who.user_id, form.code, actor=who.actor))


@route(router, "POST", "/codes/withdraw", role="operator", audit="code.withdraw")
async def withdraw_batch(desk: TheDesk, who: Caller, form: WholeBatch) -> Withdrawn:
    """Withdraw all codes of a batch that nobody has redeemed."""
    return Withdrawn(count=await codes.withdraw_batch(desk, form.batch, actor=who.actor))


@route(router, "GET", "/codes/{code}", role="operator")
async def show_code(desk: TheDesk, code: str) -> Code:
    """Show a code, by its id."""
    return Code.model_validate(await codes.show_code(desk, code))


@route(router, "DELETE", "/codes/{code}", role="operator", audit="code.withdraw")
async def withdraw_code(desk: TheDesk, who: Caller, code: str) -> Code:
    """Withdraw a code."""
    return Code.model_validate(await codes.withdraw_code(desk, code, actor=who.actor))
