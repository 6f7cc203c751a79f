"""Money: integers of nano-USD (10^-9 USD), never a float.

One amount is at most 10^15, a sum at most 10^18, so that every database holds it in 64 bits.
"""

from decimal import Decimal

NANO = 1_000_000_000
#: The largest single amount (a million USD) and the largest sum (a thousand million USD).
MAX_AMOUNT = 10**15
MAX_SUM = 10**18
#: Multipliers of groups are integers of millionths.
MILLION = 1_000_000


def parse_usd(text: str | int | Decimal) -> int:
    """Read decimal USD into nano-USD, exactly; ValueError for more than nine places or out of range."""
    try:
        value = Decimal(text) * NANO
    except ArithmeticError:
        raise ValueError(f"not an amount of money: {text!r}") from None
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError(f"an amount has at most nine decimal places: {text!r}")
    nano = int(value)
    if not 0 <= nano <= MAX_AMOUNT:
        raise ValueError(f"an amount lies between 0 and 1000000 USD: {text!r}")
    return nano


def format_usd(nano: int) -> str:
    """Nano-USD as decimal USD without exponent and trailing zeros: `0.000024`, `12.5`, `0`."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{rest:09d}".rstrip("0")


def parse_multiplier(text: str | int | Decimal) -> int:
    """Read a group's multiplier into millionths; ValueError where it has more places or is out of 0..1000."""
    try:
        value = Decimal(text) * MILLION
    except ArithmeticError:
        raise ValueError(f"not a multiplier: {text!r}") from None
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= 1000 * MILLION:
        raise ValueError(f"a multiplier lies between 0 and 1000 with at most six places: {text!r}")
    return int(value)


def format_multiplier(millionths: int) -> str:
    """A multiplier as a decimal without trailing zeros: `1`, `0.85`."""
    return format_usd(millionths * (NANO // MILLION))
