"""Balance and usage: `GET /v1/billing/usage`."""

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import number, record, ref, text

_DATA = record(
    {
        "balance": number("What is left to spend; -1 for a key without a budget."),
        "used": number("What was spent and settled.", low=0),
        "cache_used": number("What calls under way hold, and what is not settled yet.", low=0),
    },
    "The three add up to what was granted.",
    needs=("balance", "used", "cache_used"),
)
PAGE = Page(
    title="Balance and usage",
    about="What the calling key and its user have and have used.",
    error="PlatformError",
    entries=(
        Entry(
            operation="platform.usage",
            title="Balance and usage",
            about="Of the user who owns the key, or of the key alone. A key that may only see its own gets 403 for the "
            "user's.",
            answer=ref("BillingUsage"),
            shown={"data": {"balance": 99.499976, "used": 0.000024, "cache_used": 0.5}, "success": True},
            query={
                "type": text("`token`: the key's own numbers. Anything else: the user's."),
                "unit": text("`usd`: decimal US dollars. Anything else: whole credits."),
            },
            examples=(
                Example(title="The user, in US dollars", query={"unit": "usd"}),
                Example(title="The key", query={"type": "token", "unit": "usd"}),
            ),
        ),
    ),
    schemas={
        "BillingUsage": record({"data": _DATA, "success": {"const": True}}, needs=("data", "success")),
    },
)
