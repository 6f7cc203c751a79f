"""Inputs of Replicate's models, as schemas and as examples that work, made of what the gateway knows of the models."""

from collections.abc import Mapping

from unigate.dialects.replicate_fields import Field
from unigate.dialects.replicate_known import Known
from unigate.dialects.replicate_models import MODELS
from unigate.reference.page import Example
from unigate.reference.schema import Schema, record

#: A small orange square, and a mask that repaints all of it.
_PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAGklEQVR42mM8UaHBQApgYiARjGoY1TB0NAAAgJwB"
    "iHEHVqAAAAAASUVORK5CYII="
)
_MASK = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAAEUlEQVR42mP8z4AKmBhGtAAAIBABH+35zCgAAAAASU"
    "VORK5CYII="
)
_VALUES: Mapping[str, object] = {
    "prompt": "A lighthouse in a storm",
    "prompt_start": "A seed",
    "prompt_end": "A tree",
    "objects_to_remove": "car,cat",
    "mask": _MASK,
}


def schema_name(known: Known) -> str:
    """Under which a model's input stands among the schemas."""
    short = known.name.partition("/")[2].replace(".", "")
    return "".join(part[:1].upper() + part[1:] for part in short.split("-")) + "Input"


def schemas() -> dict[str, Schema]:
    """The inputs of all models that we know, by name."""
    return {schema_name(known): _input(known) for known in MODELS.values()}


def examples() -> tuple[Example, ...]:
    """A call of each model by its name."""
    found = []
    for known in MODELS.values():
        owner, _, name = known.name.partition("/")
        given = {name: _value(name, field) for name, field in known.fields.items() if field.needed or name == "prompt"}
        found.append(Example(title=known.name, body={"input": given}, path={"owner": owner, "name": name}))
    return tuple(found)


def _input(known: Known) -> Schema:
    by = f"version `{known.version}`" if known.version else "name"
    makes = "list of addresses" if known.lists else "address"
    about = f"`{known.name}`, sent by its {by}. {known.about} Its output is one {makes}."
    needs = [name for name, field in known.fields.items() if field.needed]
    properties = {name: _plain(name, field) for name, field in known.fields.items()}
    return record(properties, about, needs=needs)


def _plain(name: str, field: Field) -> Schema:
    told = field.schema(name, 0)
    return {word: value for word, value in told.items() if word not in {"title", "x-order"}}


def _value(name: str, field: Field) -> object:
    if name in _VALUES:
        return _VALUES[name]
    return _PICTURE if field.kind == "file" else "x"
