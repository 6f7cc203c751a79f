"""`/api/deliveries`: messages to callers' addresses, and how each try went."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from unigate.http.api.fields import Time, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import deliveries
from unigate.manage.deliveries import MessageFilter

router = api_router("deliveries")


class Try(View):
    """One try."""

    at: Time
    status: int = Field(description="0: no answer came.")
    error: str = Field(description="Why it counts as failed; empty: it was taken.")
    ms: int
    answer: str = Field(description="The beginning of what came back.")


class Message(View):
    """A message."""

    id: str = Field(description="The same with each try.")
    user_id: str
    task_id: str | None
    webhook_id: str | None = Field(description="null: it goes to the callback that a request named.")
    form: str = Field(description="`standard`, or the dialect that wrote it.")
    event: str
    url: str
    state: str = Field(description="`waiting`, `delivered`, or `failed`.")
    created_at: Time
    due_at: Time | None = Field(description="When it is tried next.")
    ended_at: Time | None
    tries: list[Try] = Field(description="Oldest first.")


class MessageWithBody(Message):
    """A message, and what it says."""

    body: str


class MessageQuery(Listed):
    """Which messages."""

    user: str | None = Field(None, description="Whose, by name or id.")
    task: str | None = Field(None, description="Id of a task.")
    webhook: str | None = Field(None, description="Id of a webhook.")
    state: Literal["waiting", "delivered", "failed"] | None = None


@route(router, "GET", "/deliveries", role="user")
async def list_deliveries(desk: TheDesk, who: Caller, query: Annotated[MessageQuery, Query()]) -> Paged[Message]:
    """List messages with their tries, newest first: one's own, for operators everybody's."""
    wanted = MessageFilter(user=query.user, task=query.task, webhook=query.webhook, state=query.state)
    return paged(await deliveries.list_messages(desk, query.page(), wanted, of=_of(who)), Message.model_validate)


@route(router, "GET", "/deliveries/{message}", role="user")
async def show_delivery(desk: TheDesk, who: Caller, message: str) -> MessageWithBody:
    """Show a message, its tries and its body."""
    view, body = await deliveries.show_message(desk, message, of=_of(who))
    return MessageWithBody(**{name: getattr(view, name) for name in Message.model_fields}, body=body)


@route(router, "POST", "/deliveries/{message}/replay", role="user", audit="delivery.replay")
async def replay_delivery(desk: TheDesk, who: Caller, message: str) -> Message:
    """Send a message again, with the same id; one that waits is sent now."""
    return Message.model_validate(await deliveries.replay_message(desk, message, of=_of(who), actor=who.actor))


def _of(who: Caller) -> str | None:
    """Whose messages the caller may see; None: everybody's."""
    return None if who.may("operator") else who.user_id
