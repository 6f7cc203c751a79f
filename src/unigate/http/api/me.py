"""`/api/me`: the caller's own profile, password and balance."""

from typing import Literal

from pydantic import Field

from unigate.http.api.fields import Email, Form, Password, Time, Usd, View
from unigate.http.api.office import TheDesk, TheOffice
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller, Role
from unigate.manage import users
from unigate.manage.users import UserChanges

router = api_router("me")
_LONGEST = 1024


class Me(View):
    """The caller; `balance + used + in_use` is what was granted."""

    id: str
    name: str
    email: str | None
    role: Role
    group: str
    balance: Usd
    used: Usd
    in_use: Usd
    owned_by: str = Field(description="`file`: changed in the config file only.")
    created_at: Time


class Myself(Me):
    """The caller, and how they came in."""

    via: Literal["session", "key"]
    session_id: str | None


class ChangedMe(Form):
    """What is to change; what is left out stays."""

    email: Email | None = Field(None, description="null: none any more.")


class NewPassword(Form):
    """Another password."""

    current: str = Field(max_length=_LONGEST)
    new: Password


@route(router, "GET", "/me", role="user")
async def show_me(desk: TheDesk, who: Caller) -> Myself:
    """Show who asks, and what they have."""
    return await _me(desk, who)


@route(router, "PATCH", "/me", role="user", audit="user.set")
async def change_me(desk: TheDesk, who: Caller, form: ChangedMe) -> Myself:
    """Change one's own profile."""
    if form.given("email"):
        await users.set_user(desk, who.user_id, UserChanges(email=form.email or ""), actor=who.actor)
    return await _me(desk, who)


@route(router, "POST", "/me/password", role="user", audit="user.set", status=204)
async def change_password(office: TheOffice, who: Caller, form: NewPassword) -> None:
    """Change one's own password; all other sessions end."""
    with office.attempts.attempt(who.address, who.name):
        await office.door.change_password(form.current, form.new, kept_session=who.session_id, actor=who.actor)


async def _me(desk: TheDesk, who: Caller) -> Myself:
    found = Me.model_validate(await users.show_user(desk, who.user_id))
    return Myself(**dict(found), via=who.via, session_id=who.session_id or None)
