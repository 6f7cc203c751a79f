"""The ASGI app beside the relay: the management API, and health, readiness and metrics.

Heavy to import, so that nobody does who does not serve it; the parent of workers loads it once for all of them.
"""

from fastapi import FastAPI

from unigate import __version__
from unigate.http import system
from unigate.http.api import errors, groups, sessions
from unigate.http.api.office import Live, Office
from unigate.manage.desk import Desk
from unigate.manage.sessions import Doorkeeper, SessionTerms

#: One for each noun.
ROUTERS = (groups.router, sessions.router)


def create(desk: Desk, live: Live, terms: SessionTerms | None = None) -> FastAPI:
    """The app of one worker."""
    app = FastAPI(
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
