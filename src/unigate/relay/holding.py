"""How much money is set aside for a call, and how much output that allows."""

from collections.abc import Coroutine
from typing import Any

from unigate.billing.bank import Bank, Hold
from unigate.billing.prices import Quote
from unigate.relay.call import Call
from unigate.spec.price import Model

#: Taken where a model's input limit is not known and the input is not in the body.
UNKNOWN_INPUT_LIMIT = 128_000


class Plan:
    """The money side of a call: what is held, at which price, for how many tokens."""

    __slots__ = ("hold", "input_tokens", "lowered", "output_tokens", "quote")

    def __init__(self, hold: Hold, quote: Quote, input_tokens: int, output_tokens: int) -> None:
        self.hold = hold
        self.quote = quote
        self.input_tokens = input_tokens
        #: Output tokens of all answers together that the hold pays.
        self.output_tokens = output_tokens
        #: Output tokens per answer that are asked of the provider, None where the caller's own limit stands.
        self.lowered: int | None = None


def plan(
    call: Call, bank: Bank, quote: Quote, model: Model | None, held_output: int
) -> Plan | Coroutine[Any, Any, Plan]:
    """Hold the most that this call can cost, at once from the lease; else what is to be awaited for it.

    `held_output` is the setting for how much output of one answer is held at first. Where the money falls short and
    output can be limited, what is left is held. Awaiting raises NoFunds, StoreUnavailable.
    """
    facts = call.facts
    input_tokens, per_answer = most_tokens(call, model, held_output)
    if per_answer > held_output and per_answer > facts.least_output and not bank.careful(call.key):
        per_answer = held_output
    output_tokens = per_answer * facts.count
    amount = quote.bound(input_tokens, output_tokens, facts.conditions, facts.units)
    hold = bank.hold(call.key, amount)
    if hold is None:
        return _wait(call, bank, quote, input_tokens, output_tokens)
    return Plan(hold, quote, input_tokens, output_tokens)


def most_tokens(call: Call, model: Model | None, held_output: int) -> tuple[int, int]:
    """The most input tokens that a call can count, and the most output tokens of one of its answers."""
    facts = call.facts
    input_tokens = call.input_tokens
    limit = model.input_limit if model is not None else None
    if limit is not None:
        limit *= facts.inputs
    if facts.open_input:
        input_tokens = max(input_tokens, UNKNOWN_INPUT_LIMIT) if limit is None else limit
    elif limit is not None and input_tokens > limit:
        input_tokens = limit
    per_answer = facts.output_limit
    if per_answer is None:
        per_answer = (model.output_limit if model is not None else None) or held_output
    return input_tokens, per_answer


async def _wait(call: Call, bank: Bank, quote: Quote, input_tokens: int, output_tokens: int) -> Plan:
    """Hold what the lease does not reach for: all of it, or what is left of the money."""
    facts = call.facts
    amount = quote.bound(input_tokens, output_tokens, facts.conditions, facts.units)
    least = quote.bound(input_tokens, facts.least_output * facts.count, facts.conditions, facts.units)
    hold = await bank.hold_slow(call.key, amount, least)
    made = Plan(hold, quote, input_tokens, output_tokens)
    if hold.amount < amount:
        affordable = quote.output_affordable(hold.amount, input_tokens, facts.conditions, facts.units) // facts.count
        made.lowered = max(facts.least_output, affordable)
        made.output_tokens = made.lowered * facts.count
        call.marks.append((b"x-unigate-limited", b"output_tokens=%d" % made.lowered))
    return made
