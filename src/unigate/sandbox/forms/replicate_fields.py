"""Fields of a model's input on Replicate: their schema, and what the vendor says where an input does not fit it.

The vendor checks inputs by JSON Schema before a prediction is made; kinds and words of its findings are those of the
checker that it uses. https://replicate.com/docs/reference/openapi and github.com/xeipuuv/gojsonschema
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from unigate.sandbox.serving.answer import Object

#: `names`: a text, or a list of texts.
Kind = Literal["string", "integer", "number", "boolean", "file", "names"]

_ADDRESS = re.compile(r"(?:https?://|data:)\S+", re.IGNORECASE)
#: The largest data URL that is read, in characters.
_LARGEST_DATA_URL = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field."""

    name: str
    kind: Kind
    required: bool = False
    #: What holds where it is not given; None: nothing.
    usual: Any = None
    low: float | None = None
    high: float | None = None
    #: It must be a multiple of this; 0: of nothing.
    step: int = 0
    allowed: tuple[str | int, ...] = ()

    def schema(self, order: int) -> Object:
        """The field as a property of `Input`."""
        told: Object = {"title": self.name.replace("_", " ").title(), "x-order": order}
        if self.allowed:
            told["allOf"] = [{"$ref": f"#/components/schemas/{self.name}"}]
        elif self.kind == "file":
            told |= {"type": "string", "format": "uri"}
        elif self.kind == "names":
            told["anyOf"] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        else:
            told["type"] = self.kind
        limits = {"minimum": self.low, "maximum": self.high, "multipleOf": self.step or None, "default": self.usual}
        return told | {name: value for name, value in limits.items() if value is not None}

    def choices(self) -> Object:
        """The schema of its values, where they are listed."""
        return {"title": self.name, "description": "An enumeration.", "enum": list(self.allowed), "type": self.kind}

    def wrong(self, value: Any) -> Iterator[tuple[str, str]]:
        """What is wrong with a value: kind and words."""
        expected = "string" if self.kind in ("file", "names") else self.kind
        given = _type(value)
        fits = given == expected or (expected == "number" and given == "integer")
        if self.kind == "names" and given == "array" and all(isinstance(name, str) for name in value):
            fits = True
        if not fits:
            yield "invalid_type", f"Invalid type. Expected: {expected}, given: {given}"
        elif self.allowed and value not in self.allowed:
            shown = ", ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in self.allowed)
            yield "enum", f"{self.name} must be one of the following: {shown}"
        elif self.kind == "file" and not (len(value) <= _LARGEST_DATA_URL and _ADDRESS.fullmatch(value)):
            yield "format", "Does not match format 'uri'"
        elif expected in ("integer", "number"):
            yield from self._out_of_range(value)

    def _out_of_range(self, value: float) -> Iterator[tuple[str, str]]:
        if self.low is not None and value < self.low:
            yield "number_gte", f"Must be greater than or equal to {_number(self.low)}"
        if self.high is not None and value > self.high:
            yield "number_lte", f"Must be less than or equal to {_number(self.high)}"
        if self.step and value % self.step:
            yield "multiple_of", f"Must be a multiple of {self.step}"


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _type(value: Any) -> str:
    """The JSON type of a value; a whole number is an integer however it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def text(name: str, usual: str | None = None, *, required: bool = False) -> Field:
    """A text."""
    return Field(name=name, kind="string", usual=usual, required=required)


def whole(
    name: str, low: int | None = None, high: int | None = None, usual: int | None = None, *, step: int = 0
) -> Field:
    """A whole number."""
    return Field(name=name, kind="integer", low=low, high=high, usual=usual, step=step)


def decimal(name: str, low: float, high: float, usual: float) -> Field:
    """A number."""
    return Field(name=name, kind="number", low=low, high=high, usual=usual)


def flag(name: str, *, usual: bool = False) -> Field:
    """Yes or no."""
    return Field(name=name, kind="boolean", usual=usual)


def file(name: str, *, required: bool = False) -> Field:
    """An address of a file, or the file as a data URL."""
    return Field(name=name, kind="file", required=required)


def chosen(name: str, allowed: tuple[str, ...], usual: str) -> Field:
    """One of some texts."""
    return Field(name=name, kind="string", allowed=allowed, usual=usual)


def sized(name: str, allowed: tuple[int, ...], usual: int) -> Field:
    """One of some whole numbers."""
    return Field(name=name, kind="integer", allowed=allowed, usual=usual)
