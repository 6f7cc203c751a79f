"""Who asks: a session's token, the session's cookie, or an API key with the scope `manage`; and what their role allows.

Looked up for each request, so that a revoked session, a disabled user or another role counts at once.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from unigate.base.clock import now_ms
from unigate.base.errors import Forbidden, InvalidKey
from unigate.http.api.office import Office, office_of
from unigate.manage.desk import ROLES, Actor
from unigate.manage.keys import presented
from unigate.manage.sessions import PREFIX
from unigate.spec.operation import Operation

Role = Literal["user", "operator", "owner"]
COOKIE = "unigate_session"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: What a key is checked against.
_MANAGE = Operation(name="api", method="", path="/api", dialect="", family="api", use="api", scope="manage")
_CHALLENGE = ((b"www-authenticate", b'Bearer realm="unigate"'),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The caller of a management route."""

    user_id: str
    name: str
    role: Role
    via: Literal["session", "key"]
    #: "" where a key was shown.
    session_id: str
    address: str
    request_id: str

    @property
    def actor(self) -> Actor:
        """The caller as use cases and the audit log know them."""
        return Actor(
            id=self.user_id,
            name=self.name,
            role=self.role,
            address=self.address,
            request_id=self.request_id,
            by_key=self.via == "key",
        )

    def may(self, role: Role) -> bool:
        """Whether the caller's role is this one or above."""
        return ROLES.index(self.role) >= ROLES.index(role)


async def identify(request: Request) -> Who:
    """Who asks; InvalidKey where nobody is known, Forbidden for a key without the scope and a cookie from elsewhere."""
    office = office_of(request)
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme:
        shown = shown.strip()
        if scheme.lower() != "bearer" or not shown:
            raise InvalidKey("Send a session's token or an API key as `Authorization: Bearer ...`.", headers=_CHALLENGE)
        return await (_session(request, office, shown) if shown.startswith(PREFIX) else _key(request, office, shown))
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise InvalidKey("Sign in first: POST /api/sessions.", code="invalid_session", headers=_CHALLENGE)
    check_origin(request, needed=request.method not in SAFE)
    return await _session(request, office, cookie)


def check_origin(request: Request, *, needed: bool) -> None:
    """Forbidden where a browser sends a request that a page of another site made, since the cookie comes by itself."""
    origin = request.headers.get("origin")
    if origin is None and not needed:
        return
    if not origin or urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Forbidden("This request does not come from this gateway's own pages.", code="origin_not_allowed")


def check_role(who: Who, role: Role) -> None:
    """Forbidden where the role is not enough."""
    if not who.may(role):
        raise Forbidden(f"This needs the role '{role}', yours is '{who.role}'.")


def address_of(request: Request) -> str:
    """The caller's address."""
    return request.client.host if request.client is not None else ""


def request_id_of(request: Request) -> str:
    """The id that the gateway gave this request."""
    return str(request.scope["state"]["request_id"])


async def _session(request: Request, office: Office, token: str) -> Who:
    found = await office.door.signed_in(token)
    if found is None:
        raise InvalidKey("This session has ended: sign in again.", code="invalid_session", headers=_CHALLENGE)
    session, user = found
    return Who(
        user_id=user.id,
        name=user.name,
        role=cast(Role, user.role),
        via="session",
        session_id=session.id,
        address=address_of(request),
        request_id=request_id_of(request),
    )


async def _key(request: Request, office: Office, shown: str) -> Who:
    key = await presented(office.desk, shown)
    if key is None:
        raise InvalidKey(headers=_CHALLENGE)
    office.live.services.keys.check(key, None, address_of(request), now_ms(), _MANAGE)
    return Who(
        user_id=key.user_id,
        name=key.user_name,
        role=cast(Role, key.role),
        via="key",
        session_id="",
        address=address_of(request),
        request_id=request_id_of(request),
    )


async def _who(request: Request) -> Who:
    return cast(Who, request.state.who)


#: Parameter of a handler: who asks. Known before the handler runs, on every route with a role.
Caller = Annotated[Who, Depends(_who)]
