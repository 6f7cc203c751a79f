"""`/api/prices`: what models and operations cost, what a call would cost, and which models have no price."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from unigate.base.settings import PriceEntry
from unigate.http.api.errors import BadFields
from unigate.http.api.fields import Form, Multiplier, TimeIn, Usd, UsdIn, View
from unigate.http.api.office import TheDesk
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller, check_role
from unigate.manage import prices, pricing, shipped, users
from unigate.manage.price_forms import FORMS
from unigate.manage.prices import PriceView
from unigate.manage.pricing import Watch
from unigate.spec.usage import FALLBACK

router = api_router("prices")
Name = Annotated[str, Field(min_length=1, max_length=200)]
#: An amount, or one by the value of a condition.
Rate = UsdIn | Annotated[dict[Name, UsdIn], Field(min_length=1)]


class NewPrice(Form):
    """A price of a model, an operation, or both; at least one rate. It holds from now on, or from `starts_at`."""

    model: Name | None = Field(None, description="A public name, or a pattern with `*` at its end.")
    operation: Name | None = None
    when: dict[Name, Name] = Field({}, description='Conditions, such as {"service_tier": "flex"}.')
    starts_at: TimeIn | None = None
    rates: dict[str, Rate] = Field(min_length=1, description=f"USD by {', '.join(FORMS)}.")


class Price(View):
    """A price."""

    id: str
    model: str | None
    operation: str | None
    when: dict[str, str]
    rates: dict[str, Any] = Field(description="Decimal USD, or a mapping from values to it.")
    starts: str
    source: str = Field(description="`shipped`, `file`, or `operator`.")
    state: str = Field(description="`holds`, `to come`, `replaced`, or `withdrawn`.")
    warnings: list[str] = Field([], description="What a change left without a price.")


class PriceList(View):
    """Prices, by what they are of."""

    data: list[Price]


class Unpriced(View):
    """A model without a price."""

    model: str
    channels: list[str]


class UnpricedList(View):
    """Models without a price, by name."""

    data: list[Unpriced]


class Quote(View):
    """What a call would cost."""

    operation: str
    model: str
    group: str
    multiplier: Multiplier = Field(description="Already in the cost.")
    cost: Usd
    price_id: str = Field(description="Empty where calls without a price are free.")
    price_ids: list[str] = Field(description="All that may price such calls, the best first.")


class PriceQuery(BaseModel):
    """Which prices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(None, description="Those that may price calls of this model.")
    history: bool = Field(False, description="Also replaced and withdrawn ones.")
    own: bool = Field(False, description="Without those that ship with the gateway.")


class QuoteQuery(BaseModel):
    """Units of a call; those of tokens do not overlap: `input` is without what stands in `cached_input`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, max_length=200)
    operation: str = "openai.chat"
    group: str | None = Field(None, description="Another than the caller's own: operators only.")
    service_tier: str | None = None
    input: int = Field(0, ge=0)
    cached_input: int = Field(0, ge=0)
    cache_write: int = Field(0, ge=0)
    audio_input: int = Field(0, ge=0)
    cached_audio_input: int = Field(0, ge=0)
    image_input: int = Field(0, ge=0)
    cached_image_input: int = Field(0, ge=0)
    output: int = Field(0, ge=0)
    reasoning: int = Field(0, ge=0)
    audio_output: int = Field(0, ge=0)
    image_output: int = Field(0, ge=0)
    characters: int = Field(0, ge=0)
    images: int = Field(0, ge=0)
    milliseconds: int = Field(0, ge=0)
    videos: int = Field(0, ge=0)
    searches: int = Field(0, ge=0)
    call: int = Field(1, ge=0)


@route(router, "GET", "/prices", role="operator")
async def list_prices(desk: TheDesk, query: Annotated[PriceQuery, Query()]) -> PriceList:
    """List prices that hold or are to come."""
    found = await prices.list_prices(desk, () if query.own else shipped.prices(), history=query.history)
    return PriceList(data=[_price(view) for view in found if query.model is None or _names(view, query.model)])


@route(router, "POST", "/prices", role="operator", audit="price.set", status=201)
async def create_price(desk: TheDesk, who: Caller, form: NewPrice) -> Price:
    """Set a price; calls already admitted keep theirs."""
    unknown = sorted(form.rates.keys() - FORMS.keys())
    if unknown:
        raise BadFields([(f"rates.{name}", "there is no such rate") for name in unknown])
    watch = await Watch.begin(desk)
    rates: dict[str, Any] = dict(form.rates)
    entry = PriceEntry(model=form.model, operation=form.operation, when=form.when, starts=form.starts_at, **rates)
    found = await prices.set_price(desk, entry, actor=who.actor)
    return _price(found, await watch.warnings())


@route(router, "GET", "/prices/missing", role="operator")
async def list_missing(desk: TheDesk) -> UnpricedList:
    """List the models that channels in use serve and that have no price."""
    return UnpricedList(data=[Unpriced.model_validate(one) for one in await pricing.unpriced(desk)])


@route(router, "GET", "/prices/quote", role="user")
async def quote_call(desk: TheDesk, who: Caller, query: Annotated[QuoteQuery, Query()]) -> Quote:
    """Tell what a call would cost now."""
    own = (await users.show_user(desk, who.user_id)).group
    if query.group not in (None, own):
        check_role(who, "operator")
    units = {unit: getattr(query, unit) for unit in FALLBACK}
    given = {"service_tier": query.service_tier} if query.service_tier is not None else {}
    found = await pricing.quote(
        desk, query.model, units, operation=query.operation, group=query.group or own, conditions=given
    )
    return Quote.model_validate(found)


@route(router, "GET", "/prices/{price}", role="operator")
async def show_price(desk: TheDesk, price: str) -> Price:
    """Show one of the operators' own prices."""
    return _price(await prices.show_price(desk, price))


@route(router, "DELETE", "/prices/{price}", role="operator", audit="price.withdraw")
async def withdraw_price(desk: TheDesk, who: Caller, price: str) -> Price:
    """Withdraw a price; what stood before it, or is shipped, holds again."""
    watch = await Watch.begin(desk)
    found = await prices.withdraw_price(desk, price, actor=who.actor)
    return _price(found, await watch.warnings())


def _names(view: PriceView, model: str) -> bool:
    """Whether a price may price calls of a model."""
    if view.model is None:
        return True
    return view.model == model or (view.model.endswith("*") and model.startswith(view.model[:-1]))


def _price(view: PriceView, warnings: list[str] | None = None) -> Price:
    return Price(
        id=view.id,
        model=view.model,
        operation=view.operation,
        when=view.when,
        rates=view.rates,
        starts=view.starts,
        source=view.source,
        state=view.state,
        warnings=warnings or [],
    )
