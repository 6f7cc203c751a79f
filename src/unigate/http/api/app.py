"""The ASGI app beside the relay: the management API, and health, readiness and metrics.

Heavy to import, so that nobody does who does not serve it; the parent of workers loads it once for all of them.
"""

from typing import Any

from fastapi import FastAPI

from unigate import __version__
from unigate.http import system
from unigate.http.api import (
    audit,
    channels,
    codes,
    deliveries,
    errors,
    groups,
    keys,
    ledger,
    me,
    models,
    notifications,
    prices,
    providers,
    requests,
    sessions,
    settings,
    tasks,
    usage,
    users,
    webhooks,
)
from unigate.http.api.office import Live, Office
from unigate.http.api.who import COOKIE
from unigate.manage.desk import Desk
from unigate.manage.sessions import Doorkeeper, SessionTerms

#: One for each noun.
ROUTERS = (
    sessions.router,
    me.router,
    notifications.router,
    users.router,
    groups.router,
    keys.router,
    channels.router,
    providers.router,
    models.router,
    prices.router,
    settings.router,
    codes.router,
    webhooks.router,
    deliveries.router,
    usage.router,
    requests.router,
    tasks.router,
    ledger.router,
    audit.router,
)

_SCHEMES = {
    "session": {"type": "http", "scheme": "bearer", "description": "The token of a session: `ses_...`."},
    "key": {"type": "http", "scheme": "bearer", "description": "An API key with the scope `manage`."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Needs a matching `Origin`."},
}


class Management(FastAPI):
    """FastAPI with what it can't know of our routes: the ways to show who one is."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the management API."""
        document = super().openapi()
        document["components"]["securitySchemes"] = _SCHEMES
        return document


def create(desk: Desk, live: Live, terms: SessionTerms | None = None) -> Management:
    """The app of one worker."""
    app = Management(
        title="unigate",
        version=__version__,
        openapi_url=None,  # the whole gateway has one document, made elsewhere
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.office = Office(desk=desk, live=live, door=Doorkeeper(desk, terms))
    app.router.routes.extend(system.routes(live.readiness, live.counters))
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    errors.install(app)
    return app
