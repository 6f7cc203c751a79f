"""`/api/usage`: what calls used and were charged. Users see their own, operators all."""

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from unigate.http.api.calls import CallList, CallQuery, own
from unigate.http.api.fields import Multiplier, Time, Usd, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import usage, usage_csv

router = api_router("usage")


class Sums(View):
    """Calls summed up."""

    calls: int
    estimated: int = Field(description="Calls whose usage the gateway estimated.")
    input_tokens: int
    output_tokens: int
    cost: Usd
    charged: Usd
    refunded: Usd
    first_us: int = Field(description="Microseconds to the first byte, on average.")
    total_us: int
    own_us: int = Field(description="The gateway's own share of it.")


class Part(View):
    """Sums of one step of time, and of one value."""

    start: Time | None = Field(description="null: the whole time.")
    value: str | None
    name: str | None = Field(description="Name of the user, key or channel whose id the value is.")
    sums: Sums


class Overview(View):
    """What was used, in whole hours or days."""

    since: Time
    until: Time
    total: Sums
    parts: list[Part]


class Usage(View):
    """What one call used and was charged."""

    id: str
    at: Time
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    group: str
    operation: str
    model: str
    channel_id: str | None = Field(description="For operators only.")
    channel: str | None
    ended: str
    estimated: bool
    input_tokens: int
    output_tokens: int
    units: dict[str, int]
    cost: Usd
    charged: Usd
    written_off: Usd
    refunded: Usd
    price_id: str
    multiplier: Multiplier
    total_us: int


class OverviewQuery(CallQuery):
    """Which calls, and how they are summed up."""

    step: Literal["hour", "day", "all"] = Field("day", description="Days are those of UTC.")
    by: Literal["user", "key", "channel", "model", "operation", "ended"] | None = None
    top: int = Field(10, ge=1, le=usage.MOST_VALUES, description="Values with the highest charges that are told apart.")


@route(router, "GET", "/usage", role="user")
async def list_usage(desk: TheDesk, who: Caller, query: Annotated[CallList, Query()]) -> Paged[Usage]:
    """List what calls used and were charged, newest first."""
    found = await usage.list_usage(desk, query.page(), query.wanted(), own=own(who))
    return paged(found, Usage.model_validate)


@route(router, "GET", "/usage/overview", role="user")
async def show_overview(desk: TheDesk, who: Caller, query: Annotated[OverviewQuery, Query()]) -> Overview:
    """Sum up what was used, by time and by user, key, model, channel, operation or end."""
    found = await usage.overview(desk, query.wanted(), step=query.step, by=query.by, most=query.top, own=own(who))
    return Overview.model_validate(found)


class Csv(StreamingResponse):
    """A table, line by line."""

    media_type = "text/csv"


@route(router, "GET", "/usage/export", role="user")
async def export_usage(desk: TheDesk, who: Caller, query: Annotated[CallQuery, Query()]) -> Csv:
    """Export what calls used and were charged as CSV, newest first."""
    lines = await usage_csv.export_usage(desk, query.wanted(), own=own(who))
    headers = {"content-disposition": 'attachment; filename="usage.csv"', "x-content-type-options": "nosniff"}
    return Csv(lines, headers=headers)
