"""Where vendors of OpenAI's dialect differ: one Manner per vendor. The defaults are OpenAI's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_errors
from unigate.sandbox.forms.models import Models
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Call


def usage(outcome: Outcome) -> Object:
    """OpenAI's usage object."""
    output = {
        "reasoning_tokens": outcome.summed("reasoning_tokens"),
        "audio_tokens": outcome.summed("audio_tokens"),
        "accepted_prediction_tokens": outcome.summed("accepted"),
        "rejected_prediction_tokens": outcome.summed("rejected"),
    }
    given: Object = {"cached_tokens": outcome.cached, "audio_tokens": outcome.size.audio}
    if outcome.asked.model.hears:
        given |= {"text_tokens": outcome.size.text, "image_tokens": outcome.size.image}
        output["text_tokens"] = outcome.output - output["audio_tokens"]
    return {
        "prompt_tokens": outcome.size.total,
        "completion_tokens": outcome.output,
        "total_tokens": outcome.size.total + outcome.output,
        "prompt_tokens_details": given,
        "completion_tokens_details": output,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one vendor speaks OpenAI's dialect."""

    models: Models
    #: Refuses what this vendor does not take, before everything else is checked.
    check: Callable[[Object], None] = lambda _body: None
    no_model: Callable[[str], VendorError] = openai_errors.no_model
    #: The id of an answer, from dice.
    identity: Callable[[seeds.Dice], str] = lambda dice: "chatcmpl-" + seeds.letters(dice, 29)
    #: The system fingerprint of a model, from dice.
    fingerprint: Callable[[seeds.Dice], str] = lambda dice: "fp_" + seeds.hexadecimal(dice, 10)
    usage: Callable[[Outcome], Object] = usage
    #: Last changes to a plain answer and to a stream.
    whole: Callable[[Object, Outcome], Object] = lambda answer, _outcome: answer
    events: Callable[[Iterator[Event], Outcome], Iterator[Event]] = lambda events, _outcome: events
    #: Which field shows what a model thought; the call's body may decide. "content": inside the text, in
    #: <think> tags. None: hidden.
    thoughts: Callable[[Object], str | None] = lambda _body: None
    #: Whether answers have `refusal` and `annotations`, `service_tier`, and chunks `obfuscation`.
    refusals: bool = True
    tiers: bool = True
    obfuscates: bool = True
    #: Prompt cache: fewest tokens, and steps.
    cache: tuple[int, int] = (1024, 128)
    #: Spaces of indentation of plain answers.
    indent: int = 0
    #: The model's name, where it does not stand in the body.
    model: Callable[[Call], str | None] = lambda _call: None
