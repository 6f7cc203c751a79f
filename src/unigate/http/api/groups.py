"""`/api/groups`: price multipliers, and the channels that their users may use."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from unigate.http.api.fields import STAYS, Form, Multiplier, MultiplierIn, Name, Time, View
from unigate.http.api.office import TheDesk
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import groups

router = api_router("groups")


class Group(View):
    """A group."""

    id: str
    name: str
    multiplier: Multiplier = Field(description="What prices are multiplied by.")
    enabled: bool = Field(description="Where not, none of its users' keys works.")
    owned_by: str = Field(description="`file`: it is changed in the config file only.")
    created_at: Time


class NewGroup(Form):
    """A group to be made."""

    name: Name
    multiplier: MultiplierIn = Field("1", validate_default=True)


class GroupChanges(Form):
    """What is to change; what is left out stays."""

    multiplier: MultiplierIn = STAYS
    enabled: bool = STAYS


@route(router, "GET", "/groups", role="operator")
async def list_groups(desk: TheDesk, query: Annotated[Listed, Query()]) -> Paged[Group]:
    """List groups by name."""
    return paged(await groups.page_groups(desk, query.page()), Group.model_validate)


@route(router, "POST", "/groups", role="operator", audit="group.create", status=201)
async def create_group(desk: TheDesk, who: Caller, form: NewGroup) -> Group:
    """Create a group."""
    return Group.model_validate(await groups.create_group(desk, form.name, form.multiplier, actor=who.actor))


@route(router, "GET", "/groups/{group}", role="operator")
async def show_group(desk: TheDesk, group: str) -> Group:
    """Show a group, by id or name."""
    return Group.model_validate(await groups.show_group(desk, group))


@route(router, "PATCH", "/groups/{group}", role="operator", audit="group.set")
async def change_group(desk: TheDesk, who: Caller, group: str, form: GroupChanges) -> Group:
    """Change a group, for calls admitted from now on."""
    found = await groups.set_group(desk, group, form.multiplier, enabled=form.enabled, actor=who.actor)
    return Group.model_validate(found)
