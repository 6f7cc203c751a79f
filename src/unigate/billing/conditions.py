"""Conditions of a price row (`when:`): which calls it applies to, and which it may apply to before they are made.

A condition is a name and a text. The text is a value, or several with `|` between them; `>200000`, `>=5`, `<8`, `<=8` and
`1..4` (both included) compare whole numbers; for `hour` `22-6` means from 22:00 until 6:00. A call that says nothing
under a name counts as `default`. Must not know any price.
"""

from collections.abc import Mapping

Value = str | int

#: Known only when the provider has answered: it names the tier that it really used.
TOLD_BY_ANSWER = frozenset({"service_tier"})
#: Counts of the call itself.
COUNTS = frozenset({"input_tokens", "output_tokens"})
HOUR = "hour"
DEFAULT = "default"
#: The provider decides: any row may apply, and `default` where the answer does not tell.
AUTO = "auto"


class Condition:
    """One name and what its value must be."""

    __slots__ = ("_numbers", "_values", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        values, numbers = set(), []
        for part in text.split("|"):
            span = _span(name, part.strip())
            if span is None:
                values.add(part.strip())
            else:
                numbers += span
        self._values = frozenset(values)
        #: Ranges of whole numbers, both ends included, None where there is no end.
        self._numbers: tuple[tuple[int, int | None], ...] = tuple(numbers)

    def fits(self, value: Value) -> bool:
        """Whether a value satisfies it."""
        if str(value) in self._values:
            return True
        number = value if type(value) is int else _number(str(value))
        return number is not None and any(
            low <= number and (high is None or number <= high) for low, high in self._numbers
        )

    def may_fit(self, most: int) -> bool:
        """Whether some number from 0 to `most` satisfies it."""
        if any((number := _number(value)) is not None and number <= most for value in self._values):
            return True
        return any(low <= most and (high is None or high >= 0) for low, high in self._numbers)


def applies(
    conditions: tuple[Condition, ...], given: Mapping[str, Value], input_tokens: int, output_tokens: int
) -> bool:
    """Whether a row with these conditions applies to a call that was made."""
    for condition in conditions:
        name = condition.name
        value: Value
        if name == "input_tokens":
            value = input_tokens
        elif name == "output_tokens":
            value = output_tokens
        else:
            value = given.get(name, DEFAULT)
        if not condition.fits(value) and not (value == AUTO and condition.fits(DEFAULT)):
            return False
    return True


def may_apply(conditions: tuple[Condition, ...], given: Mapping[str, Value], input_most: int, output_most: int) -> bool:
    """Whether a row may apply to a call that has yet to be made, with at most so many tokens."""
    for condition in conditions:
        name = condition.name
        if name in COUNTS:
            if not condition.may_fit(input_most if name == "input_tokens" else output_most):
                return False
        elif name not in TOLD_BY_ANSWER:
            value = given.get(name, DEFAULT)
            if value != AUTO and not condition.fits(value):
                return False
    return True


def _span(name: str, text: str) -> list[tuple[int, int | None]] | None:
    """The ranges of numbers that a text means, None where it is a plain value."""
    for sign, low, high in ((">=", 0, None), ("<=", None, 0), (">", 1, None), ("<", None, -1)):
        if text.startswith(sign):
            number = _number(text[len(sign) :].strip())
            if number is None:
                return None
            return [(number + low, None)] if low is not None else [(0, number + (high or 0))]
    if name == HOUR and "-" in text:
        first, last = (_number(part.strip()) for part in text.split("-", 1))
        if first is None or last is None:
            return None
        return [(first, last - 1)] if first < last else [(first, 23), (0, last - 1)]
    if ".." in text:
        first, last = (_number(part.strip()) for part in text.split("..", 1))
        if first is not None and last is not None:
            return [(first, last)]
    return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
