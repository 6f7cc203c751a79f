"""Fields of the inputs of Replicate's models: what each is called, its type, and what of an input the gateway refuses.

The gateway checks that what is needed is there and of the right type; ranges and lists of values are told in the schema
and judged by the vendor. Fields that are not known travel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "integer", "number", "boolean", "file", "names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an input."""

    #: `file`: an address or a data URL; `names`: a text, or a list of texts.
    kind: Kind
    about: str = ""
    needed: bool = False
    usual: str | int | float | bool | None = None
    low: float | None = None
    high: float | None = None
    step: int | None = None
    of: Sequence[str | int] = ()

    def schema(self, name: str, place: int) -> dict[str, object]:
        """The field as a property of a version's `Input`."""
        told: dict[str, object] = {"title": name.replace("_", " ").title(), "x-order": place}
        if self.kind == "file":
            told |= {"type": "string", "format": "uri"}
        elif self.kind == "names":
            told["anyOf"] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        else:
            told["type"] = self.kind
        words = {
            "description": self.about or None,
            "default": self.usual,
            "minimum": self.low,
            "maximum": self.high,
            "multipleOf": self.step,
            "enum": list(self.of) or None,
        }
        return told | {word: value for word, value in words.items() if value is not None}

    def wrong(self, value: object) -> str | None:
        """What is wrong with a value's type, in the vendor's words; None where it fits."""
        expected = "string" if self.kind in {"file", "names"} else self.kind
        given = json_type(value)
        if given == expected or (expected == "number" and given == "integer"):
            return None
        if self.kind == "names" and isinstance(value, list) and all(isinstance(one, str) for one in value):
            return None
        return f"Invalid type. Expected: {expected}, given: {given}"


def faults(fields: Mapping[str, Field], given: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with an input: kind, field and words of each fault, as the vendor names them."""
    for name, field in fields.items():
        value = given.get(name)
        if value is None:
            # A null in place of an optional field is the vendor's to judge.
            if field.needed:
                yield "required", "input", f"{name} is required"
            continue
        told = field.wrong(value)
        if told is not None:
            yield "invalid_type", f"input.{name}", told


def json_type(value: object) -> str:
    """The JSON type of a decoded value; a number without fraction is an integer however it is written."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def count_of(value: object) -> int:
    """A number of things, which may be written as 4.0; 0 where it is none."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        value = int(value)
    return value if type(value) is int and value > 0 else 0


def text(usual: str | None = None, *, needed: bool = False, about: str = "") -> Field:
    """A text."""
    return Field(kind="string", usual=usual, needed=needed, about=about)


def whole(
    low: int | None = None,
    high: int | None = None,
    usual: int | None = None,
    *,
    step: int | None = None,
    about: str = "",
) -> Field:
    """A whole number."""
    return Field(kind="integer", low=low, high=high, usual=usual, step=step, about=about)


def decimal(low: float | None, high: float | None, usual: float, *, about: str = "") -> Field:
    """A number."""
    return Field(kind="number", low=low, high=high, usual=usual, about=about)


def flag(*, usual: bool = False, about: str = "") -> Field:
    """Yes or no."""
    return Field(kind="boolean", usual=usual, about=about)


def file(*, needed: bool = False, about: str = "") -> Field:
    """A file: an address, a data URL, or an uploaded file's address."""
    return Field(kind="file", needed=needed, about=about)


def chosen(usual: str, *others: str, about: str = "") -> Field:
    """One of some texts, the first of which holds where none is given."""
    return Field(kind="string", usual=usual, of=(usual, *others), about=about)


def sized(usual: int, *values: int) -> Field:
    """One of some whole numbers."""
    return Field(kind="integer", usual=usual, of=values)
