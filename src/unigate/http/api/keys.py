"""`/api/keys`: one's own API keys; for operators everybody's. A key's secret is shown when it is made and no more."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from unigate.base.clock import now_ms
from unigate.billing.periods import day_of
from unigate.http.api.fields import STAYS, Form, Name, Time, TimeIn, Usd, UsdIn, View
from unigate.http.api.office import Live, TheDesk, TheLive
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import keys
from unigate.manage.desk import Desk
from unigate.manage.keys import MAX_KEEP_DAYS, KeyFilter, KeyForm, KeyView

router = api_router("keys")
Scope = Literal["relay", "platform", "manage"]
Speed = Literal["relax", "fast", "turbo"]
Limit = Annotated[int, Field(ge=0, le=keys.MAX_LIMIT)]


class Budgets(View):
    """The most that a key may spend; null: no bound."""

    day: Usd | None = None
    month: Usd | None = None
    total: Usd | None = None


class Spent(View):
    """What a key's settled calls cost."""

    day: Usd
    month: Usd
    total: Usd


class Limits(View):
    """Bounds; 0: none."""

    rpm: int = Field(description="Requests per minute.")
    tpm: int = Field(description="Tokens per minute.")
    concurrency: int = Field(description="Calls at once.")


class KeyOptions(View):
    """What a key says of its calls; null: nothing."""

    midjourney_mode: Speed | None = Field(None, description="Speed of its Midjourney calls, whatever they ask for.")
    midjourney_numeric_ids: bool | None = Field(None, description="Ids of Midjourney tasks as numbers in replies.")


class Key(View):
    """A key."""

    id: str
    name: str
    user: str
    user_id: str
    last4: str
    scopes: list[Scope]
    models: list[str] = Field(description="Names, or patterns with one `*`.")
    addresses: list[str] = Field(description="Networks that it may be used from; none: everywhere.")
    expires_at: Time | None
    budgets: Budgets
    used: Spent = Field(description="Of today, this month, and all time.")
    limits: Limits
    user_view: bool = Field(description="Whether it may see its user's balance and not only its own.")
    keep_days: int = Field(description="Days for which prompts and answers of its calls are kept; 0: they are not.")
    options: KeyOptions
    enabled: bool
    owned_by: str = Field(description="`file`: changed in the config file only.")
    created_at: Time


class KeyWithSecret(Key):
    """A key, this once with its secret."""

    secret: str


class ListedKeys(Listed):
    """Which keys are wanted."""

    user: str | None = Field(None, description="A user's name or id.")
    enabled: bool | None = None
    text: str | None = Field(None, description="Found in names.")


class BudgetsForm(Form):
    """Budgets that change; null: no bound any more."""

    day: UsdIn | None = None
    month: UsdIn | None = None
    total: UsdIn | None = None


class LimitsForm(Form):
    """Limits that change; 0: none."""

    rpm: Limit = STAYS
    tpm: Limit = STAYS
    concurrency: Limit = STAYS


class OptionsForm(Form):
    """Options that change; null: the key says nothing any more."""

    midjourney_mode: Speed | None = None
    midjourney_numeric_ids: bool | None = None


class ChangedKey(Form):
    """What is to change; what is left out stays."""

    scopes: list[Scope] = STAYS
    models: list[str] = STAYS
    addresses: list[str] = STAYS
    expires_at: TimeIn | None = Field(None, description="null: never.")
    budgets: BudgetsForm = STAYS
    limits: LimitsForm = STAYS
    user_view: bool = STAYS
    keep_days: Annotated[int, Field(ge=0, le=MAX_KEEP_DAYS)] = STAYS
    options: OptionsForm = STAYS
    enabled: bool = STAYS

    def form(self) -> KeyForm:
        """The same for the use case."""
        return KeyForm(
            scopes=_tuple(self.scopes),
            models=_tuple(self.models),
            addresses=_tuple(self.addresses),
            expires_at=(self.expires_at or 0) if self.given("expires_at") else None,
            budgets={name: getattr(self.budgets, name) for name in _named(self.budgets)} or None,
            **{name: getattr(self.limits, name) for name in _named(self.limits)},
            user_view=self.user_view,
            keep_days=self.keep_days,
            options={name: getattr(self.options, name) for name in _named(self.options)} or None,
            enabled=self.enabled,
        )


class NewKey(ChangedKey):
    """A key to be made."""

    name: Name
    user: str | None = Field(None, description="Who pays; the caller where it is left out.")


@route(router, "GET", "/keys", role="user")
async def list_keys(desk: TheDesk, live: TheLive, who: Caller, query: Annotated[ListedKeys, Query()]) -> Paged[Key]:
    """List keys, newest first: one's own, for operators everybody's."""
    wanted = KeyFilter(user=query.user, enabled=query.enabled, text=query.text)
    found = await keys.page_keys(desk, query.page(), wanted, of=_of(who))
    shown = dict(zip((row.id for row in found.rows), await _shown(desk, live, *found.rows), strict=True))
    return paged(found, lambda row: Key(**shown[row.id]))


@route(router, "POST", "/keys", role="user", audit="key.create", status=201)
async def create_key(desk: TheDesk, live: TheLive, who: Caller, form: NewKey) -> KeyWithSecret:
    """Create a key; its secret is shown this once."""
    user = who.user_id if form.user is None else form.user
    view, secret = await keys.create_key(desk, user, form.name, form.form(), of=_of(who), actor=who.actor)
    return KeyWithSecret(**(await _shown(desk, live, view))[0], secret=secret)


@route(router, "GET", "/keys/{key}", role="user")
async def show_key(desk: TheDesk, live: TheLive, who: Caller, key: str) -> Key:
    """Show a key, by id or name."""
    return Key(**(await _shown(desk, live, await keys.show_key(desk, key, of=_of(who))))[0])


@route(router, "PATCH", "/keys/{key}", role="user", audit="key.set")
async def change_key(desk: TheDesk, live: TheLive, who: Caller, key: str, form: ChangedKey) -> Key:
    """Change what a key allows; everywhere within about a second."""
    view = await keys.set_key(desk, key, form.form(), of=_of(who), actor=who.actor)
    return Key(**(await _shown(desk, live, view))[0])


@route(router, "POST", "/keys/{key}/rotate", role="user", audit="key.rotate")
async def rotate_key(desk: TheDesk, live: TheLive, who: Caller, key: str) -> KeyWithSecret:
    """Give a key another secret, shown this once; the old one ends within about a second."""
    view, secret = await keys.rotate_key(desk, key, of=_of(who), actor=who.actor)
    return KeyWithSecret(**(await _shown(desk, live, view))[0], secret=secret)


def _of(who: Caller) -> str | None:
    """Whose keys the caller may see; None: everybody's."""
    return None if who.may("operator") else who.user_id


async def _shown(desk: Desk, live: Live, *views: KeyView) -> list[dict[str, Any]]:
    """Keys with what they used, as fields of `Key`."""
    day = day_of(now_ms(), live.services.bank.terms.offset_minutes)
    used = await keys.spent(desk, [view.id for view in views], day)
    return [
        {
            **{name: getattr(view, name) for name in Key.model_fields.keys() & set(KeyView.__slots__)},
            "budgets": view.budgets,
            "options": view.options,
            "limits": {name: getattr(view, name) for name in LimitsForm.model_fields},
            "used": used[view.id],
        }
        for view in views
    ]


def _tuple(given: list[str] | list[Scope] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


def _named(form: Form | None) -> set[str]:
    return set() if form is None else form.model_fields_set
