"""`/api/sessions`: signing in and out."""

from typing import Annotated, Any

import structlog
from fastapi import Query, Request, Response
from pydantic import Field, model_validator

from unigate.base.errors import InvalidKey, NotFound
from unigate.http.api.fields import Form, Time, View
from unigate.http.api.office import TheDesk, TheOffice
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import COOKIE, Caller, address_of, request_id_of
from unigate.manage import sessions
from unigate.manage.sessions import SessionView

log: Any = structlog.get_logger("unigate.api")
router = api_router("sessions")
_LONGEST = 1024


class Login(Form):
    """Who signs in: by e-mail address or by name."""

    email: str | None = Field(None, max_length=_LONGEST)
    name: str | None = Field(None, max_length=_LONGEST)
    password: str = Field(max_length=_LONGEST)
    cookie: bool = Field(False, description="Set the token as a cookie that scripts can't read, and don't show it.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "Login":
        if (self.email is None) is (self.name is None):
            raise ValueError("give either email or name")
        return self


class SignedInUser(View):
    """Who signed in."""

    id: str
    name: str
    email: str | None
    role: str


class SignedIn(View):
    """A new session."""

    id: str
    token: str | None = Field(description="Shown this once; null where it was set as a cookie.")
    expires_at: Time = Field(description="Moves on while the session is used.")
    user: SignedInUser


class Session(View):
    """A session."""

    id: str
    created_at: Time
    expires_at: Time
    used_at: Time
    address: str
    agent: str
    current: bool = Field(description="Whether this request was made in it.")


@route(router, "POST", "/sessions", role=None, audit="session.sign_in", status=201)
async def sign_in(office: TheOffice, request: Request, response: Response, form: Login) -> SignedIn:
    """Sign in with a password."""
    login = form.email or form.name or ""
    address = address_of(request)
    with office.attempts.attempt(address, login):
        try:
            session, user, token = await office.door.sign_in(
                login,
                form.password,
                agent=request.headers.get("user-agent", ""),
                address=address,
                request_id=request_id_of(request),
            )
        except InvalidKey:
            # Not the name: people type their password into the wrong field.
            log.warning("somebody failed to sign in", address=address, request_id=request_id_of(request))
            raise
    if form.cookie:
        _set_cookie(request, response, token, office.door.longest_seconds)
    return SignedIn(
        id=session.id,
        token=None if form.cookie else token,
        expires_at=session.expires_at,
        user=SignedInUser.model_validate(user),
    )


@route(router, "GET", "/sessions", role="user")
async def list_sessions(desk: TheDesk, who: Caller, query: Annotated[Listed, Query()]) -> Paged[Session]:
    """List the caller's own sessions, newest first."""

    def show(view: SessionView) -> Session:
        return Session(
            id=view.id,
            created_at=view.created_at,
            expires_at=view.expires_at,
            used_at=view.used_at,
            address=view.address,
            agent=view.agent,
            current=view.id == who.session_id,
        )

    return paged(await sessions.list_sessions(desk, who.user_id, query.page()), show)


@route(router, "DELETE", "/sessions", role="user", audit="session.sign_out", status=204)
async def sign_out_elsewhere(desk: TheDesk, who: Caller) -> None:
    """End all of the caller's own sessions but the one in which this request is made."""
    await sessions.end_sessions(desk, who.user_id, kept=who.session_id, actor=who.actor)


@route(router, "DELETE", "/sessions/{session}", role="user", audit="session.sign_out", status=204)
async def sign_out(desk: TheDesk, who: Caller, request: Request, response: Response, session: str) -> None:
    """End one of the caller's own sessions, by id; `current` is the one in which this request is made."""
    if session == "current":
        session = who.session_id
    if not session:
        raise NotFound("This request was made with a key, in no session.")
    await sessions.end_session(desk, who.user_id, session, actor=who.actor)
    if session == who.session_id and COOKIE in request.cookies:
        _set_cookie(request, response, "", 0)


def _set_cookie(request: Request, response: Response, value: str, seconds: int) -> None:
    """The cookie is for this API only: no script reads it, no other site makes a browser send it."""
    forwarded = request.headers.get("x-forwarded-proto", "")
    secure = request.url.scheme == "https" or forwarded.lower() == "https"
    response.set_cookie(COOKIE, value, max_age=seconds, path="/api", secure=secure, httponly=True, samesite="strict")
