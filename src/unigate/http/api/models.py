"""`/api/models`: the models that may be called, what is known of them, and what they cost."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from unigate.http.api.fields import Form, View
from unigate.http.api.office import TheDesk
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import models, users
from unigate.manage.models import ModelView
from unigate.spec.price import Model as Said

router = api_router("models")
Limit = Annotated[int, Field(gt=0, le=1_000_000_000)]


class Rate(View):
    """One price of a model."""

    id: str
    operation: str | None
    when: dict[str, str]
    rates: dict[str, Any]


class Model(View):
    """A model."""

    name: str
    owner: str
    created: int = Field(description="Seconds since 1970; 0: nobody knows.")
    input_limit: int | None
    output_limit: int | None
    modalities: list[str]
    source: str = Field(description="`operator`, `shipped`, or empty: nothing is known but that a channel serves it.")
    channels: list[str] | None = Field(description="Those in use that serve it; for operators only.")
    prices: list[Rate] = Field(description="The most specific first; none: calls of it are refused.")


class ModelList(View):
    """Models by name."""

    data: list[Model]


class ModelForm(Form):
    """What is to be known of a model in place of what is shipped."""

    owner: str = Field("", max_length=200)
    created: int = Field(0, ge=0, le=10_000_000_000)
    input_limit: Limit | None = None
    output_limit: Limit | None = None
    modalities: list[Annotated[str, Field(min_length=1, max_length=50)]] = Field(["text"], max_length=20)


class ModelQuery(BaseModel):
    """Which models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: str | None = Field(None, max_length=200, description="Part of the name.")
    all: bool = Field(False, description="Also those that no channel serves; for operators only.")


@route(router, "GET", "/models", role="user")
async def list_models(desk: TheDesk, who: Caller, query: Annotated[ModelQuery, Query()]) -> ModelList:
    """List the models that the caller's group may call; operators see those of all groups."""
    operator = who.may("operator")
    group = None if operator else (await users.show_user(desk, who.user_id)).group
    served = not (query.all and operator)
    found = await models.list_models(desk, group=group, served=served, search=query.search)
    return ModelList(data=[_model(view, private=operator) for view in found])


# A model's name may have slashes.
@route(router, "GET", "/models/{model:path}", role="operator")
async def show_model(desk: TheDesk, model: str) -> Model:
    """Show a model."""
    return _model(await models.show_model(desk, model), private=True)


@route(router, "PUT", "/models/{model:path}", role="operator", audit="model.set")
async def set_model(desk: TheDesk, who: Caller, model: str, form: ModelForm) -> Model:
    """Say what is to be known of a model."""
    said = Said(
        name=model,
        owner=form.owner,
        created=form.created,
        input_limit=form.input_limit,
        output_limit=form.output_limit,
        modalities=tuple(form.modalities),
    )
    await models.set_model(desk, said, actor=who.actor)
    return _model(await models.show_model(desk, model), private=True)


@route(router, "DELETE", "/models/{model:path}", role="operator", audit="model.reset", status=204)
async def reset_model(desk: TheDesk, who: Caller, model: str) -> None:
    """Take back what was said of a model: what is shipped counts again."""
    await models.reset_model(desk, model, actor=who.actor)


def _model(view: ModelView, *, private: bool) -> Model:
    return Model(
        name=view.name,
        owner=view.owner,
        created=view.created,
        input_limit=view.input_limit,
        output_limit=view.output_limit,
        modalities=view.modalities,
        source=view.source,
        channels=view.channels if private else None,
        prices=[Rate.model_validate(one) for one in view.prices],
    )
