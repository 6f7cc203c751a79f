"""The billing routes of OpenAI's old dashboard, which many clients ask for a balance; answered by ourselves.

What every client computes, `hard_limit_usd - total_usage / 100`, is the spendable balance. Limits are USD, usage is US
cents, written as text from nano-USD.
"""

from unigate.base.money import format_usd
from unigate.dialects.openai_errors import write_error
from unigate.spec.operation import Operation

__all__ = ["NO_LIMIT", "OPERATIONS", "write_credit_grants", "write_error", "write_subscription", "write_total_usage"]


def _operation(name: str, path: str) -> Operation:
    return Operation(
        name=f"dashboard.{name}",
        method="GET",
        path=f"/v1{path}",
        aliases=(f"/v1{path}/", path, f"{path}/"),
        dialect="dashboard",
        family="billing",
        use=f"dashboard_{name}",
        free=True,
        answers_expired=True,
    )


OPERATIONS = (
    _operation("subscription", "/dashboard/billing/subscription"),
    _operation("usage", "/dashboard/billing/usage"),
    _operation("credit_grants", "/dashboard/billing/credit_grants"),
)
#: The limit shown for a key without a budget whose owner may not be seen, in nano-USD.
NO_LIMIT = 100_000_000 * 10**9


def write_subscription(granted: int, expires_at: int | None) -> bytes:
    """All three limits are the grant (nano-USD); `expires_at` is the key's end in milliseconds since 1970."""
    limit = format_usd(granted).encode()
    until = 0 if expires_at is None else expires_at // 1000
    return (
        b'{"object":"billing_subscription","has_payment_method":true,"soft_limit_usd":%s,"hard_limit_usd":%s,'
        b'"system_hard_limit_usd":%s,"access_until":%d}' % (limit, limit, limit, until)
    )


def write_total_usage(used: int, in_use: int) -> bytes:
    """What was used and is in use (nano-USD), as US cents."""
    return b'{"object":"list","total_usage":%s}' % format_usd((used + in_use) * 100).encode()


def write_credit_grants(granted: int, used: int, in_use: int) -> bytes:
    """Granted, used (with what is in use) and available, in USD."""
    spent = used + in_use
    return b'{"object":"credit_summary","total_granted":%s,"total_used":%s,"total_available":%s}' % (
        format_usd(granted).encode(),
        format_usd(spent).encode(),
        format_usd(max(granted - spent, 0)).encode(),
    )
