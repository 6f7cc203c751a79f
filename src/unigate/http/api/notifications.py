"""`/api/me/notifications`: what the caller is told, where, and how that went."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from unigate.http.api.deliveries import Message
from unigate.http.api.fields import STAYS, Form, Time, Usd, UsdIn, View
from unigate.http.api.office import TheDesk, TheLive
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.webhooks import Trial
from unigate.http.api.who import Caller
from unigate.manage import deliveries, notifications
from unigate.manage.deliveries import MessageFilter
from unigate.manage.notification_forms import LONGEST_SECRET, LONGEST_TEMPLATE, LONGEST_VALUE, MOST_HEADERS, TargetForm
from unigate.manage.notifications import MOST, NotificationForm
from unigate.tasks.account_events import EVENTS
from unigate.tasks.addresses import LONGEST

router = api_router("notifications")

Kind = Literal["email", "webhook", "bark", "gotify"]
Address = Annotated[str, Field(max_length=LONGEST)]
_EVENTS = ", ".join(f"`{name}`" for name in EVENTS)


class Target(View):
    """Where an account is told."""

    id: str | None = Field(description="null: it is what everybody has who has said nothing yet.")
    kind: Kind
    enabled: bool
    disabled_because: str = Field(description="Why it was switched off, where nobody did so.")
    failing_since: Time | None
    events: list[str] = Field(description="What it is told of.")
    chosen: bool = Field(description="The events were asked for; else they are what is told without asking.")
    address: str | None = Field(description="Of an e-mail.")
    url: str | None
    format: str | None = Field(description="Of a webhook: `standard` or `newapi`.")
    has_secret: bool
    headers: dict[str, str] = Field(description="Their values are not shown.")
    template: str | None
    priority: int | None = Field(description="Of Gotify.")


class Notifications(View):
    """What an account is told."""

    targets: list[Target]
    low_balance_usd: Usd = Field(description="A balance below this is low; 0: none is.")
    language: str
    task_callback_url: str = Field(
        description="Where tasks are told that name no callback of their own; empty: nowhere."
    )
    events: list[str] = Field(description="What may be asked for.")
    mail: bool = Field(description="Mails can be sent.")


class ChangedNotifications(Notifications):
    """What an account is told, and the secrets that were made."""

    secrets: dict[str, str] = Field(description="Target -> the `whsec_...` by which it is signed, shown this once.")


class NewTarget(Form):
    """A target as it is to be; what is left out stays, or is as usual."""

    id: str | None = Field(None, description="Of one that there is.")
    kind: Kind
    enabled: bool = STAYS
    events: Annotated[
        list[str],
        Field(max_length=len(EVENTS), description=f"Some of {_EVENTS}; empty: what is told without asking."),
    ] = STAYS
    address: Annotated[str, Field(max_length=320)] | None = Field(None, description="null: the account's, or as it is.")
    url: Address | None = None
    format: Literal["standard", "newapi"] | None = None
    secret: Annotated[str, Field(max_length=LONGEST_SECRET)] | None = Field(
        None, description="Of `standard`: `whsec_...`, empty: another one is made. Of `newapi`: any text, empty: none."
    )
    headers: (
        Annotated[dict[str, Annotated[str, Field(max_length=LONGEST_VALUE)]], Field(max_length=MOST_HEADERS)] | None
    ) = Field(None, description="Added to each request; `***`: the value that is kept.")
    template: Annotated[str, Field(max_length=LONGEST_TEMPLATE)] | None = Field(
        None, description="JSON with `{{type}}`, `{{title}}`, `{{content}}`, `{{timestamp}}`; only with `newapi`."
    )
    token: Annotated[str, Field(max_length=LONGEST_VALUE)] | None = Field(None, description="Of Gotify.")
    priority: Annotated[int, Field(ge=0, le=10)] | None = Field(None, description="Of Gotify.")

    def form(self) -> TargetForm:
        """The same for the use case."""
        events: list[str] | None = self.events
        fields = self.model_dump(exclude={"events"})
        return TargetForm(**fields, events=None if events is None else tuple(events))


class NewNotifications(Form):
    """What is to change; what is left out stays."""

    targets: Annotated[list[NewTarget], Field(max_length=MOST, description="All that there are to be.")] = STAYS
    low_balance_usd: UsdIn | None = Field(None, description="null: as the operator has it.")
    language: Literal["zh", "en"] | None = Field(None, description="null: as the operator has it.")
    task_callback_url: Address = STAYS

    def form(self) -> NotificationForm:
        """The same for the use case."""
        targets: list[NewTarget] | None = self.targets
        low, language = self.low_balance_usd, self.language
        return NotificationForm(
            targets=None if targets is None else tuple(target.form() for target in targets),
            low_balance=(-1 if low is None else low) if self.given("low_balance_usd") else None,
            language=(language or "") if self.given("language") else None,
            task_callback_url=self.task_callback_url,
        )


class TargetTrial(Trial):
    """How a test of one target went."""

    target: str
    kind: Kind


class Trials(View):
    """How a test went."""

    data: list[TargetTrial]


@route(router, "GET", "/me/notifications", role="user")
async def show_notifications(desk: TheDesk, who: Caller) -> Notifications:
    """Show what one is told, and where."""
    return Notifications.model_validate(await notifications.show_notifications(desk, who.user_id))


@route(router, "PUT", "/me/notifications", role="user", audit="notification.set")
async def set_notifications(desk: TheDesk, who: Caller, form: NewNotifications) -> ChangedNotifications:
    """Change what one is told; secrets that are made are shown this once."""
    view, made = await notifications.set_notifications(desk, who.user_id, form.form(), actor=who.actor)
    fields = dict(Notifications.model_validate(view))
    return ChangedNotifications(**fields, secrets=made)


@route(router, "POST", "/me/notifications/test", role="user", audit="notification.test")
async def try_notifications(
    desk: TheDesk, live: TheLive, who: Caller, target: Annotated[str | None, Query(max_length=100)] = None
) -> Trials:
    """Send a test now to all of one's targets that are on, or to one, and tell how that went."""
    found = await notifications.try_notifications(desk, who.user_id, target, client=live.letters, actor=who.actor)
    return Trials(data=[TargetTrial.model_validate(one) for one in found])


@route(router, "GET", "/me/notifications/deliveries", role="user")
async def list_notices(desk: TheDesk, who: Caller, query: Annotated[Listed, Query()]) -> Paged[Message]:
    """List what one was told, newest first, with each try."""
    found = await deliveries.list_messages(desk, query.page(), MessageFilter(told=True), of=who.user_id)
    return paged(found, Message.model_validate)


@route(router, "POST", "/me/notifications/deliveries/{message}/resend", role="user", audit="delivery.replay")
async def resend_notice(desk: TheDesk, who: Caller, message: str) -> Message:
    """Send something again that one was told, with the same id; what waits is sent now."""
    view = await deliveries.replay_message(desk, message, told=True, of=who.user_id, actor=who.actor)
    return Message.model_validate(view)
