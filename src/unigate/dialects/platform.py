"""What the calling key and its user have and have used: `GET /v1/billing/usage`, answered by ourselves.

Numbers are nano-USD as integers and are written as text, so that no digit is lost on the way.
"""

from typing import Literal

import msgspec

from unigate.base.errors import GatewayError
from unigate.base.money import NANO, format_usd
from unigate.dialects.openai_errors import error_object
from unigate.spec.operation import Operation

__all__ = ["NO_BUDGET", "OPERATIONS", "write_error", "write_usage"]

OPERATIONS = (
    Operation(
        name="platform.usage",
        method="GET",
        path="/v1/billing/usage",
        aliases=("/v1/billing/usage/",),
        dialect="platform",
        family="billing",
        use="billing_usage",
        free=True,
        answers_expired=True,
    ),
)
#: The balance shown for a key that has no budget, in both units.
NO_BUDGET = -1


def write_usage(
    granted: int | None, used: int, in_use: int, *, unit: Literal["usd", "credits"], credits_per_usd: int
) -> bytes:
    """The answer, from nano-USD: granted in all (None: a key without a budget), settled, and in use by calls.

    Credits are whole numbers whose sum is the grant rounded down; decimal USD is exact. A budget that was cut below what
    is used shows a balance of 0.
    """
    if unit == "usd":
        balance = str(NO_BUDGET) if granted is None else format_usd(max(granted - used - in_use, 0))
        numbers = balance, format_usd(used), format_usd(in_use)
    else:
        numbers = _in_credits(granted, used, in_use, credits_per_usd)
    return b'{"data":{"balance":%s,"used":%s,"cache_used":%s},"success":true}' % tuple(n.encode() for n in numbers)


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply: this API's own form around OpenAI's error object."""
    inner = error_object(error, request_id)
    return msgspec.json.encode({"success": False, "message": inner["message"], "error": inner})


def _in_credits(granted: int | None, used: int, in_use: int, rate: int) -> tuple[str, str, str]:
    if granted is None:
        return str(NO_BUDGET), str(_up(used * rate)), str(_up(in_use * rate))
    grant = granted * rate // NANO
    balance = max(granted - used - in_use, 0) * rate // NANO
    busy = min(_up(in_use * rate), grant - balance)
    return str(balance), str(grant - balance - busy), str(busy)


def _up(value: int) -> int:
    return -(-value // NANO)
