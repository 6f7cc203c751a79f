"""How values stand in bodies of the management API: money and multipliers as decimal text, moments as RFC 3339.

Inside they are integers: nano-USD, millionths, milliseconds since 1970.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from unigate.access.passwords import MAX_LENGTH, MIN_LENGTH
from unigate.base.clock import rfc3339
from unigate.base.money import format_multiplier, format_usd, parse_multiplier, parse_usd
from unigate.manage.desk import MAX_NAME
from unigate.manage.users import MAX_EMAIL

#: A number as it is written: no sign, no exponent, no other scripts' digits.
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_LONGEST = 40
#: Default of a field of a change that may be left out (then it stays as it is) but can't be null.
STAYS: Any = Field(default_factory=lambda: None)  # a plain default would stand in the schema


class Form(BaseModel):
    """A body that a caller sends: nothing is guessed, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def given(self, name: str) -> bool:
        """Whether the caller named the field, be it as null."""
        return name in self.model_fields_set


class View(BaseModel):
    """A body that we send, read from a view of `manage/` by its fields' names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def parse_time(text: str) -> int:
    """A moment as milliseconds since 1970; ValueError. A date alone is its midnight in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a moment is written as 2026-01-31T12:00:00Z") from None
    if found.tzinfo is None:
        if len(text) != len("2026-01-31"):
            raise ValueError("a moment needs its offset from UTC, such as Z")
        found = found.replace(tzinfo=UTC)
    if found.year < 1970 or found.year > 9998:
        raise ValueError("a moment lies between 1970 and 9998")
    return round(found.timestamp() * 1000)


def _text(read: Callable[[str], int], pattern: re.Pattern[str] | None = None) -> BeforeValidator:
    def validate(value: object) -> int:
        if not isinstance(value, str):
            raise ValueError("this is written as text")  # noqa: TRY004 - pydantic reports a ValueError by field
        if len(value) > _LONGEST:
            raise ValueError("this is too long")
        if pattern is not None and not pattern.fullmatch(value):
            raise ValueError("this is not a decimal number, such as 12.5")
        return read(value)

    return BeforeValidator(validate)


_USD = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?$", "examples": ["12.5"]}
_USD_IN = {**_USD, "pattern": r"^[0-9]+(\.[0-9]{1,9})?$"}
_MULTIPLIER = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?$", "examples": ["1.25"]}
_TIME = {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"]}

#: What we send.
Usd = Annotated[int, PlainSerializer(format_usd), WithJsonSchema(_USD)]
Multiplier = Annotated[int, PlainSerializer(format_multiplier), WithJsonSchema(_MULTIPLIER)]
Time = Annotated[int, PlainSerializer(rfc3339), WithJsonSchema(_TIME)]
#: What we read.
UsdIn = Annotated[int, _text(parse_usd, _DECIMAL), WithJsonSchema(_USD_IN)]
MultiplierIn = Annotated[int, _text(parse_multiplier, _DECIMAL), WithJsonSchema(_MULTIPLIER)]
TimeIn = Annotated[int, _text(parse_time), WithJsonSchema(_TIME)]
#: Of what is made; which characters it may have is checked where it is made.
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Password = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
Email = Annotated[str, Field(max_length=MAX_EMAIL, json_schema_extra={"format": "email"})]
