"""`/api/providers`: the vendors that a channel may name."""

from pydantic import Field

from unigate.http.api.fields import View
from unigate.http.api.office import TheDesk
from unigate.http.api.routes import api_router, route

router = api_router("providers")


class Provider(View):
    """A provider."""

    name: str
    title: str
    base_url: str | None = Field(description="null: a channel must name one.")
    speaks: list[str] = Field(description="Dialects of its operations.")
    needs: list[str] = Field(description="Options that a channel of it needs.")


class Providers(View):
    """All providers by name."""

    data: list[Provider]


@route(router, "GET", "/providers", role="operator")
async def list_providers(desk: TheDesk) -> Providers:
    """List the providers that a channel may name."""
    found = sorted(desk.providers.values(), key=lambda provider: provider.name)
    return Providers(
        data=[
            Provider(name=p.name, title=p.title, base_url=p.base_url, speaks=list(p.speaks), needs=list(p.needs))
            for p in found
        ]
    )
