"""`/api/requests`: how single calls went, with the tries that each took. Users see their own, operators all."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from unigate.http.api.calls import CallList, own
from unigate.http.api.fields import Multiplier, Time, Usd, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import kept, requests
from unigate.manage.requests import RequestDetail
from unigate.store.pages import Slice

router = api_router("requests")


class Request(View):
    """How one call went."""

    id: str
    at: Time
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    operation: str
    model: str
    channel_id: str | None = Field(description="For operators only.")
    channel: str | None
    upstream_model: str | None
    status: int
    ended: str
    stream: bool
    error: str
    tries: int
    first_us: int = Field(description="Microseconds to the first byte.")
    total_us: int
    own_us: int = Field(description="The gateway's own share of it.")
    charged: Usd


class Try(View):
    """One try at one channel."""

    channel_id: str | None
    channel: str | None
    credential_id: str | None
    status: int = Field(description="The provider's; 0: it did not answer.")
    error: str
    milliseconds: int


class Detail(Request):
    """One call with its tries and what it was charged by."""

    attempts: list[Try]
    group: str
    estimated: bool
    units: dict[str, int]
    cost: Usd
    overrun: Usd = Field(description="Charged beyond what was held.")
    written_off: Usd
    refunded: Usd
    price_id: str
    multiplier: Multiplier
    transfer_id: str = Field(description="The transfer that paid it; empty where it was free.")
    upstream_request_id: str | None = Field(description="For operators only.")


class RequestQuery(CallList):
    """Which requests."""

    id: str | None = None


@route(router, "GET", "/requests", role="user")
async def list_requests(desk: TheDesk, who: Caller, query: Annotated[RequestQuery, Query()]) -> Paged[Request]:
    """List calls, newest first."""
    if query.id is not None:
        found = await requests.find_requests(desk, query.id, query.wanted(), own=own(who))
        return paged(Slice(rows=found, next=None), Request.model_validate)
    found_page = await requests.list_requests(desk, query.page(), query.wanted(), own=own(who))
    return paged(found_page, Request.model_validate)


@route(router, "GET", "/requests/{request_id}", role="user")
async def show_request(desk: TheDesk, who: Caller, request_id: str) -> Detail:
    """Show a call with the tries that it took."""
    return _detail(await requests.show_request(desk, request_id, own=own(who)))


class Kept(View):
    """Prompt and answer of a call, as they came and went; bytes that are no text are replaced."""

    id: str
    at: Time
    ends_at: Time = Field(description="When it is deleted.")
    status: int
    request: str
    answer: str
    cut: bool = Field(description="Either was longer than what is kept of one.")


@route(router, "GET", "/requests/{request_id}/kept", role="user")
async def show_kept(desk: TheDesk, who: Caller, request_id: str) -> Kept:
    """Show prompt and answer of a call whose key or channel said that they are kept."""
    found = await kept.show_kept(desk, request_id, own(who))
    return Kept(
        id=found.id,
        at=found.at,
        ends_at=found.ends_at,
        status=found.status,
        request=found.request.decode("utf-8", "replace"),
        answer=found.answer.decode("utf-8", "replace"),
        cut=found.cut,
    )


def _detail(found: RequestDetail) -> Detail:
    return Detail(
        **Request.model_validate(found.request).__dict__,
        attempts=[Try.model_validate(one) for one in found.attempts],
        group=found.group,
        estimated=found.estimated,
        units=found.units,
        cost=found.cost,
        overrun=found.overrun,
        written_off=found.written_off,
        refunded=found.refunded,
        price_id=found.price_id,
        multiplier=found.multiplier,
        transfer_id=found.transfer_id,
        upstream_request_id=found.upstream_request_id,
    )
