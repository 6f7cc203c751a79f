"""Embeddings in OpenAI's form: reads and checks the inputs, answers with their vectors.

https://platform.openai.com/docs/api-reference/embeddings
"""

import base64
from typing import Any

from unigate.sandbox.brain import tokens, vectors
from unigate.sandbox.forms import checks, openai_named, openai_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler

#: Most inputs of a call, and tokens of all of them together.
MOST_INPUTS = 2048
MOST_TOKENS = 300_000

_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
#: A text, or a text as tokens.
Input = str | tuple[int, ...]


def embeddings(manner: Manner) -> Handler:
    """POST /embeddings."""

    async def handle(call: Call) -> Answer:
        """Answer with a vector for each input."""
        body = openai_request.decode(call.body)
        model = openai_named.model(manner, call, body, "vectors")
        for name in body:
            if name not in _KNOWN:
                raise checks.refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        inputs = read_inputs(body.get("input"))
        size = _dimensions(body, model)
        form = checks.one_of(checks.given(body, "encoding_format", "float"), "encoding_format", ("float", "base64"))
        checks.text(body, "user", "user")
        counted = _counted(inputs, model)
        call.world.accounts.charge(call.credential, counted)
        found = [] if "empty" in call.fault else [_vector(given, size, model) for given in inputs]
        return Whole(
            payload={
                "object": "list",
                "data": [
                    {"object": "embedding", "index": place, "embedding": _shown(vector, form)}
                    for place, vector in enumerate(found)
                ],
                "model": model.snapshot or model.name,
                "usage": {"prompt_tokens": counted, "total_tokens": counted},
            },
            indent=manner.indent if form == "float" else 0,
            usage={"input": counted},
            model=model.name,
            pace=model.pace,
        )

    return handle


def read_inputs(value: Any, param: str = "input", most: int = MOST_INPUTS) -> list[Input]:
    """Texts, or texts as tokens; one or many."""
    if value is None:
        raise checks.missing(param)
    if isinstance(value, str):
        return [_text(value, param)]
    listed = checks.listed(value, param, "strings", least=1, most=most)
    if all(isinstance(item, int) and not isinstance(item, bool) for item in listed):
        return [_tokens(listed, param)]
    return [_one(item, f"{param}[{place}]") for place, item in enumerate(listed)]


def count(given: Input) -> int:
    """Tokens of an input."""
    return tokens.count(given) if isinstance(given, str) else len(given)


def _one(value: Any, param: str) -> Input:
    if isinstance(value, str):
        return _text(value, param)
    return _tokens(checks.listed(value, param, "integers", least=1), param)


def _text(value: str, param: str) -> str:
    if not value:
        raise checks.refuse(f"Invalid '{param}': input cannot be an empty string.", param, "invalid_value")
    return value


def _tokens(value: list[Any], param: str) -> tuple[int, ...]:
    for place, token in enumerate(value):
        if isinstance(token, bool) or not isinstance(token, int):
            raise checks.wrong_type(f"{param}[{place}]", "an integer", token)
        if token < 0:
            told = f"Invalid '{param}[{place}]': integer below minimum value. Expected a value >= 0, but got {token} instead."
            raise checks.refuse(told, f"{param}[{place}]", "integer_below_min_value")
    return tuple(value)


def _dimensions(body: Object, model: Model) -> int:
    wanted = checks.integer(body, "dimensions", 1, None)
    if wanted is None:
        return model.dimensions
    if not model.shortens:
        raise checks.refuse("This model does not support specifying dimensions.", "dimensions")
    if wanted > model.dimensions:
        told = f"Invalid value for 'dimensions' = {wanted}. Must be less than or equal to {model.dimensions}."
        raise checks.refuse(told, "dimensions")
    return wanted


def _counted(inputs: list[Input], model: Model) -> int:
    """Tokens of all inputs; VendorError where one, or all together, are too long."""
    total = 0
    for given in inputs:
        size = count(given)
        if size > model.context:
            told = (
                f"This model's maximum context length is {model.context} tokens, however you requested {size} tokens "
                f"({size} in your prompt; 0 for the completion). Please reduce your prompt; or completion length."
            )
            raise VendorError(400, told)
        total += size
    if total > MOST_TOKENS:
        told = f"Requested {total} tokens, max {MOST_TOKENS} tokens per request"
        raise VendorError(400, told, kind="max_tokens_per_request", code="max_tokens_per_request")
    return total


def _vector(given: Input, size: int, model: Model) -> list[float]:
    """A vector of the model's own length is made first, since callers may mix short ones with it."""
    if isinstance(given, str):
        vector = vectors.of_text(given, model.dimensions, model.name)
    else:
        vector = vectors.of_tokens(given, model.dimensions, model.name)
    return vector if size == model.dimensions else vectors.shortened(vector, size)


def _shown(vector: list[float], form: str) -> str | list[float]:
    if form == "base64":
        return base64.b64encode(vectors.packed(vector)).decode()
    return [round(value, 9) for value in vector]
