"""`/api/users`: who pays, who may sign in, and their credit."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from unigate.base.errors import Forbidden
from unigate.base.settings import DEFAULT_GROUP
from unigate.http.api.fields import STAYS, Email, Form, Name, Password, Time, Usd, UsdIn, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller, Role
from unigate.manage import sessions, users
from unigate.manage.users import UserChanges, UserFilter

router = api_router("users")
MAX_NOTE = 500
MAX_ID = 200


class User(View):
    """A user; `balance + used + in_use` is what was granted."""

    id: str
    name: str
    email: str | None
    role: Role
    group: str
    enabled: bool
    balance: Usd
    used: Usd
    in_use: Usd
    can_sign_in: bool = Field(description="Whether there is a password.")
    owned_by: str = Field(description="`file`: changed in the config file only.")
    created_at: Time


class ListedUsers(Listed):
    """Which users are wanted."""

    role: Role | None = None
    group: str | None = Field(None, description="A name or id.")
    enabled: bool | None = None
    text: str | None = Field(None, description="Found in names and e-mail addresses.")


class NewUser(Form):
    """A user to be made."""

    name: Name
    email: Email | None = None
    password: Password | None = Field(None, description="Without one they can't sign in.")
    role: Role = Field("user", description="Only an owner makes others than users.")
    group: str = Field(DEFAULT_GROUP, description="A name or id.")
    credit: UsdIn = Field("0", validate_default=True)


class ChangedUser(Form):
    """What is to change; what is left out stays."""

    email: Email | None = Field(None, description="null: none any more.")
    password: Password | None = Field(None, description="Ends all their sessions. null: they can't sign in any more.")
    role: Role = STAYS
    group: str = STAYS
    enabled: Annotated[bool, Field(description="false: ends all their sessions, and refuses their keys.")] = STAYS


class Money(Form):
    """An amount to give or to take back."""

    amount: UsdIn
    id: str | None = Field(
        None, min_length=1, max_length=MAX_ID, description="The caller's own id of this payment: it happens once."
    )
    note: str = Field("", max_length=MAX_NOTE)


class TakenBack(View):
    """What could be taken back."""

    taken: Usd = Field(description="At most what is neither used nor in use.")
    user: User


@route(router, "GET", "/users", role="operator")
async def list_users(desk: TheDesk, query: Annotated[ListedUsers, Query()]) -> Paged[User]:
    """List users, newest first."""
    wanted = UserFilter(role=query.role, group=query.group, enabled=query.enabled, text=query.text)
    return paged(await users.page_users(desk, query.page(), wanted), User.model_validate)


@route(router, "POST", "/users", role="operator", audit="user.create", status=201)
async def create_user(desk: TheDesk, who: Caller, form: NewUser) -> User:
    """Create a user."""
    made = await users.create_user(
        desk,
        form.name,
        email=form.email,
        password=form.password,
        role=form.role,
        group=form.group,
        credit=form.credit,
        actor=who.actor,
    )
    return User.model_validate(made)


@route(router, "GET", "/users/{user}", role="operator")
async def show_user(desk: TheDesk, user: str) -> User:
    """Show a user, by id, name or e-mail address."""
    return User.model_validate(await users.show_user(desk, user))


@route(router, "PATCH", "/users/{user}", role="operator", audit="user.set")
async def change_user(desk: TheDesk, who: Caller, user: str, form: ChangedUser) -> User:
    """Change a user."""
    found = await users.show_user(desk, user)
    if found.id == who.user_id and form.given("password"):
        raise Forbidden("Change your own password at /api/me/password, where the current one is asked for.")
    changes = UserChanges(
        email=_cleared(form.email, given=form.given("email")),
        password=_cleared(form.password, given=form.given("password")),
        role=form.role,
        group=form.group,
        enabled=form.enabled,
    )
    return User.model_validate(await users.set_user(desk, found.id, changes, actor=who.actor))


@route(router, "POST", "/users/{user}/topup", role="operator", audit="user.topup")
async def top_up(desk: TheDesk, who: Caller, user: str, form: Money) -> User:
    """Give a user credit; with an id once, however often it is asked for."""
    id = None if form.id is None else f"topup:{form.id}"
    return User.model_validate(await users.topup(desk, user, form.amount, note=form.note, id=id, actor=who.actor))


@route(router, "POST", "/users/{user}/takeback", role="operator", audit="user.takeback")
async def take_back(desk: TheDesk, who: Caller, user: str, form: Money) -> TakenBack:
    """Take credit back, at most what is left of it."""
    id = None if form.id is None else f"takeback:{form.id}"
    found, taken = await users.take_back(desk, user, form.amount, note=form.note, id=id, actor=who.actor)
    return TakenBack(taken=taken, user=User.model_validate(found))


@route(router, "DELETE", "/users/{user}/sessions", role="operator", audit="session.sign_out", status=204)
async def sign_user_out(desk: TheDesk, who: Caller, user: str) -> None:
    """End all sessions of a user."""
    await sessions.end_sessions(desk, user, actor=who.actor)


def _cleared(value: str | None, *, given: bool) -> str | None:
    """A field as use cases take it: None where it stays, "" where it is to be none."""
    return (value or "") if given else None
