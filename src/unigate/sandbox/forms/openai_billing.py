"""Dashboard billing of a key's account: a limit in USD and a total in US cents, as many clients read them."""

import msgspec

from unigate.base.money import format_usd
from unigate.sandbox.serving.answer import Answer, Whole
from unigate.sandbox.serving.face import Call, Route


def _decimal(nano: int) -> msgspec.Raw:
    """An amount as a JSON number, exactly."""
    return msgspec.Raw(format_usd(nano).encode())


async def subscription(call: Call) -> Answer:
    """GET /dashboard/billing/subscription."""
    granted = _decimal(call.world.options.granted)
    limits = dict.fromkeys(("soft_limit_usd", "hard_limit_usd", "system_hard_limit_usd"), granted)
    return Whole(payload={"object": "billing_subscription", "has_payment_method": True, **limits, "access_until": 0})


async def usage(call: Call) -> Answer:
    """GET /dashboard/billing/usage; the dates do not matter."""
    return Whole(payload={"object": "list", "total_usage": _decimal(100 * call.world.accounts.spent(call.credential))})


async def credit_grants(call: Call) -> Answer:
    """GET /dashboard/billing/credit_grants."""
    granted, spent = call.world.options.granted, call.world.accounts.spent(call.credential)
    amounts = {"total_granted": granted, "total_used": spent, "total_available": max(0, granted - spent)}
    return Whole(payload={"object": "credit_summary", **{name: _decimal(nano) for name, nano in amounts.items()}})


ROUTES = tuple(
    Route("GET", f"{prefix}/dashboard/billing/{name}{slash}", handler)
    for name, handler in (("subscription", subscription), ("usage", usage), ("credit_grants", credit_grants))
    for prefix in ("/v1", "")
    for slash in ("", "/")
)
