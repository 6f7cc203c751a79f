"""OpenAI's moderations: `POST /v1/moderations`, which say how harmful texts and pictures are.

The vendor takes no money for them; each is metered as one call, so that an operator may. A call need not name a model.
https://platform.openai.com/docs/api-reference/moderations
"""

import re

import msgspec

from unigate.dialects import json_read, openai_body
from unigate.dialects.openai_answer import Seen, add_cost, loosely
from unigate.dialects.openai_body import Edits, edit, input_bound
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_usage import read_input_usage
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = [
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
]

OPERATIONS = (
    Operation(
        name="openai.moderations",
        method="POST",
        path="/v1/moderations",
        dialect="openai_moderations",
        family="moderations",
        body="json",
        upstream_path="/moderations",
    ),
)
#: What the vendor takes where a call names no model.
DEFAULT_MODEL = "omni-moderation-latest"

_NAMES = ("model", "usage")
_READ = re.compile(rb'"(?:model|usage|include)"')


class _Call(msgspec.Struct, gc=False):
    model: str | None = None
    usage: openai_body.UsageOptions | None = None


_call = msgspec.json.Decoder(_Call)


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    openai_body.named(body, _READ, _NAMES)
    if call.model == "":
        raise openai_body.no_model()
    facts = Facts(model=call.model or DEFAULT_MODEL, output_limit=0)
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    return facts


def read_answer(body: bytes, provider: Provider) -> Seen:
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object.

    Beside the call itself the input counts, where a vendor tells it.
    """
    told = loosely(body, "results")
    usage = read_input_usage(told.get("usage"), provider)
    return Seen(Usage({"call": 1, **(usage.units if usage else {})}), not told["results"])


def estimate(body: bytes, seen: Seen) -> Usage:  # noqa: ARG001  (a call is a call)
    """One call: usage is never a matter of counting here."""
    return Usage({"call": 1})
