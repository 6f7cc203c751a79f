"""How much money is set aside for a call, and how much output that allows."""

from dataclasses import dataclass

from unigate.billing.bank import Bank, Hold
from unigate.billing.prices import Quote
from unigate.relay.call import Call
from unigate.spec.price import Model

#: Taken where a model's input limit is not known and the input is not in the body.
UNKNOWN_INPUT_LIMIT = 128_000


@dataclass(slots=True, kw_only=True)
class Plan:
    """The money side of a call: what is held, at which price, for how many tokens."""

    hold: Hold
    quote: Quote
    input_tokens: int
    #: Output tokens of all answers together that the hold pays.
    output_tokens: int
    #: Output tokens per answer that are asked of the provider, None where the caller's own limit stands.
    lowered: int | None = None


async def plan(call: Call, bank: Bank, quote: Quote, model: Model | None, held_output: int) -> Plan:
    """Hold the most that this call can cost, or, where output can be limited, what is left.

    `held_output` is the setting for how much output of one answer is held at first. Raises NoFunds,
    StoreUnavailable.
    """
    facts = call.facts
    input_tokens = call.dialect.input_bound(call.body, facts)
    limit = model.input_limit if model is not None else None
    if facts.open_input:
        input_tokens = max(input_tokens, UNKNOWN_INPUT_LIMIT) if limit is None else limit
    elif limit is not None and input_tokens > limit:
        input_tokens = limit
    per_answer = facts.output_limit
    if per_answer is None:
        per_answer = (model.output_limit if model is not None else None) or held_output
    if not bank.careful(call.key):
        per_answer = min(per_answer, held_output)
    output_tokens = per_answer * facts.count
    amount = quote.bound(input_tokens, output_tokens, facts.conditions)
    hold = bank.hold(call.key, amount)
    if hold is None:
        least = quote.bound(input_tokens, facts.count, facts.conditions)
        hold = await bank.hold_slow(call.key, amount, least)
    made = Plan(hold=hold, quote=quote, input_tokens=input_tokens, output_tokens=output_tokens)
    if hold.amount < amount:
        affordable = quote.output_affordable(hold.amount, input_tokens, facts.conditions) // facts.count
        made.lowered = max(1, affordable)
        made.output_tokens = made.lowered * facts.count
        call.marks.append((b"x-unigate-limited", b"output_tokens=%d" % made.lowered))
    return made
