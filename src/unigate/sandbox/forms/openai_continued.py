"""What is asked of a completion in OpenAI's older form, and what is answered: prompts, candidates, tokens, sureness."""

from collections.abc import Mapping
from dataclasses import dataclass

from unigate.sandbox.brain import infill, seeds, tokens
from unigate.sandbox.brain.prompt import Prompt, Turn
from unigate.sandbox.brain.think import think
from unigate.sandbox.forms import checks, openai_embeddings, openai_request
from unigate.sandbox.forms.models import Model
from unigate.sandbox.forms.openai_embeddings import Input
from unigate.sandbox.forms.outcome import stopped
from unigate.sandbox.serving.answer import Object, VendorError

#: What the vendor takes where a call names no `max_tokens`.
_USUAL_LIMIT = 16
_MOST_PROMPTS = 2048
#: What is continued where there is no prompt.
_NOTHING = "<|endoftext|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that was found good."""

    model: Model
    prompts: tuple[tuple[str, ...], ...]
    count: int
    candidates: int
    limit: int
    echo: bool
    suffix: str
    #: How many likely tokens are named beside each token; None: none, and no sureness.
    logprobs: int | None
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """One answer, in tokens."""

    index: int
    #: The prompt, where it is to be shown first.
    shown: tuple[str, ...]
    content: tuple[str, ...]
    finish: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All answers to one call and what they consumed; candidates that were not chosen are consumed too."""

    asked: Asked
    choices: tuple[Continued, ...]
    input: int
    output: int

    def units(self) -> Mapping[str, int]:
        """What the log keeps."""
        return {"input": self.input, "output": self.output}


def read(body: Object, model: Model) -> Asked:
    """What is asked; VendorError as the vendor would refuse it."""
    prompts = _prompts(body)
    stream, include_usage, _ = openai_request.streaming(body)
    openai_request.numbers(body)
    count = checks.integer(body, "n", 1, 128) or 1
    best_of = checks.integer(body, "best_of", 0, 20)
    candidates = best_of or count
    if best_of is not None and candidates < count:
        told = (
            "You requested that the server return more choices than it will generate (HINT: set 'n' (currently "
            f"{count}) to be at most 'best_of' (currently {best_of}), or omit either parameter if you don't "
            "specifically want to use them.)"
        )
        raise checks.refuse(told, "best_of")
    if stream and candidates > count:
        raise checks.refuse("Results cannot be streamed when 'best_of' is greater than 'n'.", "best_of")
    suffix = checks.text(body, "suffix", "suffix")
    if suffix and not model.infills:
        raise checks.refuse(f"The model '{model.name}' does not support 'suffix'.", "suffix", "unsupported_value")
    limit = checks.integer(body, "max_tokens", 0, None)
    asked = Asked(
        model=model,
        prompts=prompts,
        count=count,
        candidates=candidates,
        limit=_USUAL_LIMIT if limit is None else limit,
        echo=bool(checks.flag(body, "echo")),
        suffix=suffix,
        logprobs=checks.integer(body, "logprobs", 0, 5),
        stop=openai_request.stop(body),
        stream=stream,
        include_usage=include_usage,
        seed=openai_request.seed(body, "best_of", "echo", "logprobs", "max_tokens", "stop", "user"),
    )
    _fits(asked)
    return asked


def answer(asked: Asked, *, empty: bool) -> Outcome:
    """The answers to a call; `empty`: they say nothing."""
    choices: list[Continued] = []
    output = 0
    for place, prompt in enumerate(asked.prompts):
        made = [_continued(asked, place, prompt, candidate) for candidate in range(asked.candidates)]
        if empty:
            made = [Continued(index=0, shown=(), content=(), finish="stop", seed=one.seed) for one in made]
        output += sum(len(one.content) for one in made)
        if asked.candidates > asked.count:
            made.sort(key=_doubt)
        for number, one in enumerate(made[: asked.count]):
            index = place * asked.count + number
            choices.append(
                Continued(index=index, shown=one.shown, content=one.content, finish=one.finish, seed=one.seed)
            )
    tokens_in = sum(len(prompt) for prompt in asked.prompts) + tokens.count(asked.suffix)
    return Outcome(asked=asked, choices=tuple(choices), input=tokens_in, output=output)


def sureness(seed: int, piece: str, place: int, most: int) -> tuple[float, dict[str, float]]:
    """How sure the model is of a token, and of the likeliest tokens in its place, itself among them."""
    dice = seeds.dice(seed, piece, place)
    sure = -round(dice.random() * 2, 6)
    others = {f"{piece}{number}": round(sure - number - dice.random(), 6) for number in range(1, most)}
    return sure, {piece: sure, **others} if most else {}


def _prompts(body: Object) -> tuple[tuple[str, ...], ...]:
    value = body.get("prompt")
    if value is None or value == "":
        return ((_NOTHING,),)
    if isinstance(value, list):
        value = [item if item != "" else _NOTHING for item in value]
    return tuple(_pieces(given) for given in openai_embeddings.read_inputs(value, "prompt", _MOST_PROMPTS))


def _pieces(given: Input) -> tuple[str, ...]:
    """A prompt in tokens; one that came as tokens can't be read back into words."""
    if not isinstance(given, str):
        return tuple(f"<|{token}|>" for token in given)
    return (given,) if given == _NOTHING else tuple(tokens.pieces(given))


def _fits(asked: Asked) -> None:
    """Refuse a prompt that leaves too little room for the answer."""
    room = asked.model.context
    longest = max(len(prompt) for prompt in asked.prompts) + tokens.count(asked.suffix)
    if longest + asked.limit > room:
        told = (
            f"This model's maximum context length is {room} tokens, however you requested {longest + asked.limit} tokens "
            f"({longest} in your prompt; {asked.limit} for the completion). Please reduce your prompt; or completion length."
        )
        raise VendorError(400, told)


def _continued(asked: Asked, place: int, prompt: tuple[str, ...], candidate: int) -> Continued:
    """One candidate within the limits of the call."""
    text = "".join(prompt)
    seed = seeds.seed(asked.seed, place, candidate)
    thought = think(Prompt(turns=(Turn(role="user", text="" if text == _NOTHING else text),), seed=seed), 0)
    said = thought.text or thought.refusal
    if asked.suffix and "[[" not in text:
        said = infill.between(text, asked.suffix, seeds.dice(seed, "infill"))
    elif text and not text[-1].isspace():
        said = f" {said}"
    if thought.filtered:
        said = said[: len(said) // 2]
    content = tuple(tokens.pieces(stopped(said, asked.stop)))
    cut = len(content) > asked.limit
    return Continued(
        index=candidate,
        shown=prompt if asked.echo else (),
        content=content[: asked.limit],
        finish="length" if cut else "content_filter" if thought.filtered else "stop",
        seed=seed,
    )


def _doubt(one: Continued) -> float:
    """How unsure the model is of an answer, per token: the best has the least."""
    each = [sureness(one.seed, piece, len(one.shown) + place, 0)[0] for place, piece in enumerate(one.content)]
    return -sum(each) / len(each) if each else 0.0
