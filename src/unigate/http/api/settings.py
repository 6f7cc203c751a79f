"""`/api/settings`: what can change while the gateway runs. For owners only."""

from typing import Any

from pydantic import Field

from unigate.base.errors import BadRequest, NotFound
from unigate.base.live_settings import LiveSettings
from unigate.http.api.errors import BadFields
from unigate.http.api.fields import Form, View
from unigate.http.api.office import TheDesk
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import live
from unigate.manage.pricing import Watch

router = api_router("settings")


class Setting(View):
    """A setting."""

    name: str
    value: Any
    default: Any
    owned_by: str = Field(description="`file`: it is changed in the config file only.")
    warnings: list[str] = Field([], description="What a change left without a price.")


class Settings(View):
    """All settings."""

    data: list[Setting]


class NewValue(Form):
    """Another value."""

    value: Any


@route(router, "GET", "/settings", role="owner")
async def list_settings(desk: TheDesk) -> Settings:
    """List all settings."""
    return Settings(data=[Setting.model_validate(_plain(view)) for view in await live.list_settings(desk)])


@route(router, "GET", "/settings/{setting}", role="owner")
async def show_setting(desk: TheDesk, setting: str) -> Setting:
    """Show a setting."""
    _check(setting)
    return Setting.model_validate(_plain(await live.show_setting(desk, setting)))


@route(router, "PUT", "/settings/{setting}", role="owner", audit="setting.set")
async def set_setting(desk: TheDesk, who: Caller, setting: str, form: NewValue) -> Setting:
    """Change a setting, within about a second everywhere."""
    _check(setting)
    if form.value is None:
        raise BadFields([("value", "null is no value: DELETE brings the default back")])
    try:
        checked = live.checked_setting(setting, form.value)
    except BadRequest as error:
        raise BadFields([("value", error.message)]) from None
    return await _changed(desk, who, setting, checked)


@route(router, "DELETE", "/settings/{setting}", role="owner", audit="setting.reset")
async def reset_setting(desk: TheDesk, who: Caller, setting: str) -> Setting:
    """Bring a setting's default back."""
    _check(setting)
    return await _changed(desk, who, setting, None)


async def _changed(desk: TheDesk, who: Caller, name: str, value: object) -> Setting:
    watch = await Watch.begin(desk)
    view = await live.set_setting(desk, name, value, actor=who.actor)
    return Setting(**_plain(view), warnings=await watch.warnings())


def _check(name: str) -> None:
    if name not in LiveSettings.__struct_fields__:
        raise NotFound(f"There is no setting {name!r}.")


def _plain(view: live.SettingView) -> dict[str, Any]:
    return {"name": view.name, "value": view.value, "default": view.default, "owned_by": view.owned_by}
