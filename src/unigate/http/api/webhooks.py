"""`/api/webhooks`: addresses that are told of the ends of their user's tasks."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from unigate.http.api.fields import STAYS, Form, Time, View
from unigate.http.api.office import TheDesk, TheLive
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import webhooks
from unigate.manage.webhooks import WebhookForm, WebhookView
from unigate.tasks.addresses import LONGEST

router = api_router("webhooks")

Event = Literal["task.succeeded", "task.failed", "task.canceled"]
Address = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Secret = Annotated[str, Field(max_length=128, description="`whsec_` and 24 to 64 bytes in base 64; empty: the user's.")]


class Webhook(View):
    """A webhook."""

    id: str
    user_id: str
    user: str
    url: str
    events: list[str] = Field(description="Empty: all.")
    own_secret: bool = Field(description="Signed by a secret of its own, not by its user's.")
    enabled: bool
    disabled_because: str = Field(description="Why it was switched off, where nobody did so.")
    failing_since: Time | None
    created_at: Time


class WebhookWithSecret(Webhook):
    """A webhook, and by what its messages are signed."""

    secret: str = Field(description="`whsec_...`, shown this once.")


class ChangedWebhook(Form):
    """What is to change; what is left out stays."""

    url: Address = STAYS
    events: Annotated[list[Event], Field(max_length=len(webhooks.EVENTS))] = STAYS
    secret: Secret = STAYS
    enabled: bool = STAYS

    def form(self) -> WebhookForm:
        """The same for the use case."""
        events: list[Event] | None = self.events
        return WebhookForm(
            url=self.url, events=None if events is None else tuple(events), secret=self.secret, enabled=self.enabled
        )


class NewWebhook(ChangedWebhook):
    """A webhook to be made."""

    url: Address
    user: str | None = Field(None, description="Whose tasks; the caller's where it is left out.")


class WebhookQuery(Listed):
    """Which webhooks."""

    user: str | None = Field(None, description="Whose, by name or id.")
    enabled: bool | None = None


class Deleted(View):
    """What was deleted."""

    id: str


class Trial(View):
    """How the sending of a test event went."""

    message_id: str
    ok: bool
    status: int = Field(description="0: no answer came.")
    error: str
    ms: int
    answer: str = Field(description="The beginning of what came back.")


@route(router, "GET", "/webhooks", role="user")
async def list_webhooks(desk: TheDesk, who: Caller, query: Annotated[WebhookQuery, Query()]) -> Paged[Webhook]:
    """List webhooks, newest first: one's own, for operators everybody's."""
    found = await webhooks.list_webhooks(desk, query.page(), user=query.user, enabled=query.enabled, of=_of(who))
    return paged(found, Webhook.model_validate)


@route(router, "POST", "/webhooks", role="user", audit="webhook.create", status=201)
async def create_webhook(desk: TheDesk, who: Caller, form: NewWebhook) -> WebhookWithSecret:
    """Make a webhook; the secret that signs its messages is shown this once."""
    user = who.user_id if form.user is None else form.user
    view, secret = await webhooks.create_webhook(desk, user, form.form(), of=_of(who), actor=who.actor)
    return _with_secret(view, secret)


@route(router, "GET", "/webhooks/{webhook}", role="user")
async def show_webhook(desk: TheDesk, who: Caller, webhook: str) -> Webhook:
    """Show a webhook, by its id."""
    return Webhook.model_validate(await webhooks.show_webhook(desk, webhook, of=_of(who)))


@route(router, "PATCH", "/webhooks/{webhook}", role="user", audit="webhook.set")
async def change_webhook(desk: TheDesk, who: Caller, webhook: str, form: ChangedWebhook) -> Webhook:
    """Change a webhook; what waits for it goes to its new address."""
    view = await webhooks.set_webhook(desk, webhook, form.form(), of=_of(who), actor=who.actor)
    return Webhook.model_validate(view)


@route(router, "DELETE", "/webhooks/{webhook}", role="user", audit="webhook.delete")
async def delete_webhook(desk: TheDesk, who: Caller, webhook: str) -> Deleted:
    """Delete a webhook; what waits for it is not sent any more."""
    await webhooks.delete_webhook(desk, webhook, of=_of(who), actor=who.actor)
    return Deleted(id=webhook)


@route(router, "POST", "/webhooks/{webhook}/rotate", role="user", audit="webhook.rotate")
async def rotate_webhook(desk: TheDesk, who: Caller, webhook: str) -> WebhookWithSecret:
    """Give a webhook another secret, shown this once; for a day the old one signs too."""
    return _with_secret(*await webhooks.rotate_webhook(desk, webhook, of=_of(who), actor=who.actor))


@route(router, "POST", "/webhooks/{webhook}/test", role="user", audit="webhook.test")
async def try_webhook(desk: TheDesk, live: TheLive, who: Caller, webhook: str) -> Trial:
    """Send an event `test` now, and tell how that went."""
    trial = await webhooks.try_webhook(desk, webhook, of=_of(who), client=live.letters, actor=who.actor)
    return Trial.model_validate(trial)


def _of(who: Caller) -> str | None:
    """Whose webhooks the caller may see; None: everybody's."""
    return None if who.may("operator") else who.user_id


def _with_secret(view: WebhookView, secret: str) -> WebhookWithSecret:
    fields = {name: getattr(view, name) for name in Webhook.model_fields}
    return WebhookWithSecret(**fields, secret=secret)
