"""The billing calls of OpenAI's former dashboard, which clients ask for a balance."""

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import flag, number, only, record, ref, text, whole

_USD = number("US dollars.", low=0)
PAGE = Page(
    title="Dashboard",
    about="What many clients ask for a balance: `hard_limit_usd - total_usage / 100` is what is left to spend.",
    entries=(
        Entry(
            operation="dashboard.subscription",
            title="What was granted",
            about="The key's total budget where it has one, else what its user was granted.",
            answer=ref("BillingSubscription"),
            shown={
                "object": "billing_subscription",
                "has_payment_method": True,
                "soft_limit_usd": 100,
                "hard_limit_usd": 100,
                "system_hard_limit_usd": 100,
                "access_until": 0,
            },
            examples=(Example(title="All"),),
        ),
        Entry(
            operation="dashboard.usage",
            title="What was used",
            about="Whatever the dates say, all that was used: clients subtract it from the grant.",
            answer=ref("BillingTotal"),
            shown={"object": "list", "total_usage": 50.0024},
            query={"start_date": text("Changes nothing."), "end_date": text("Changes nothing.")},
            examples=(
                Example(title="With dates", query={"start_date": "2026-01-01", "end_date": "2026-01-31"}),
                Example(title="Without"),
            ),
        ),
        Entry(
            operation="dashboard.credit_grants",
            title="Granted, used, available",
            about="The same in one answer.",
            answer=ref("CreditSummary"),
            shown={
                "object": "credit_summary",
                "total_granted": 100,
                "total_used": 0.500024,
                "total_available": 99.499976,
            },
            examples=(Example(title="All"),),
        ),
    ),
    schemas={
        "BillingSubscription": record(
            {
                "object": only("billing_subscription"),
                "has_payment_method": flag(),
                "soft_limit_usd": _USD,
                "hard_limit_usd": _USD,
                "system_hard_limit_usd": _USD,
                "access_until": whole("When the key expires, in seconds since 1970; 0: never.", low=0),
            },
            "All three limits are what was granted.",
            needs=("object", "hard_limit_usd", "access_until"),
        ),
        "BillingTotal": record(
            {"object": only("list"), "total_usage": number("US cents.", low=0)}, needs=("object", "total_usage")
        ),
        "CreditSummary": record(
            {
                "object": only("credit_summary"),
                "total_granted": _USD,
                "total_used": _USD,
                "total_available": _USD,
            },
            needs=("object", "total_granted", "total_used", "total_available"),
        ),
    },
)
