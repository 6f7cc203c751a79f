"""DeepSeek: no `/v1` in its base URL, usage by cache hit and miss, thoughts shown, its own errors.

https://api-docs.deepseek.com/api/create-chat-completion and .../quick_start/error_codes
"""

from collections.abc import Iterator

from unigate.base.money import format_usd
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_chat, openai_errors
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_errors import Said
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Answer, Event, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Face, Route, bearer

_MODELS = Models(
    (
        Model(name="deepseek-chat", owner="deepseek", output=8192, sees=False),
        Model(name="deepseek-reasoner", owner="deepseek", output=65_536, reasoning=True, sees=False),
        Model(name="deepseek-v4-flash", owner="deepseek", output=65_536, sees=False),
        Model(name="deepseek-v4-pro", owner="deepseek", output=65_536, reasoning=True, sees=False),
    )
)
_CODE = "invalid_request_error"
_FAILURES = {
    400: Said("invalid_request_error", _CODE, "Invalid request: the format of the request body is wrong."),
    401: Said("authentication_error", _CODE, "Authentication Fails (governor)"),
    402: Said("unknown_error", _CODE, "Insufficient Balance"),
    422: Said("invalid_request_error", _CODE, "Invalid parameters in the request body."),
    429: Said("rate_limit_error", _CODE, "Rate limit reached: requests are sent too quickly."),
    500: Said("server_error", "internal_error", "The server encounters an issue."),
    503: Said("service_unavailable_error", _CODE, "Service is too busy. Please try again later."),
}


def _check(body: Object) -> None:
    """Refuse what this vendor does not take; what its thinking models ignore is taken out."""
    if body.get("messages") is None:
        told = "Failed to deserialize the JSON body into the target type: missing field `messages`"
        raise VendorError(422, told, code=_CODE)
    if (body.get("n") or 1) != 1:
        raise checks.refuse("Invalid n value (currently only n = 1 is supported)", None, _CODE)
    model = _MODELS.find(str(body.get("model", "")))
    if model is None or not model.reasoning:
        return
    if body.get("logprobs"):
        raise checks.refuse(f"{model.name} does not support the parameter logprobs", None, _CODE)
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        body.pop(name, None)
    if body.get("max_tokens") is not None:
        body["max_completion_tokens"] = body.pop("max_tokens")


def _usage(outcome: Outcome) -> Object:
    """Usage with cache hits and misses beside OpenAI's details."""
    usage: Object = {
        "prompt_tokens": outcome.size.total,
        "completion_tokens": outcome.output,
        "total_tokens": outcome.size.total + outcome.output,
        "prompt_tokens_details": {"cached_tokens": outcome.cached},
    }
    if outcome.asked.model.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": outcome.summed("reasoning_tokens")}
    usage["prompt_cache_hit_tokens"] = outcome.cached
    usage["prompt_cache_miss_tokens"] = outcome.size.total - outcome.cached
    return usage


def _events(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
    """A keep-alive comment before the first event; usage always, in the event that ends the answer."""
    yield Event(None, "opening", name="keep-alive")
    for event in events:
        if event.part == "usage" or not isinstance(event.data, dict):
            if event.part == "end":
                yield event
            continue
        delta = event.data["choices"][0]["delta"]
        if outcome.asked.model.reasoning and event.part in ("opening", "content"):
            if "reasoning_content" in delta:
                delta["content"] = None
            elif event.part == "opening":
                delta |= {"content": None, "reasoning_content": ""}
            elif "content" in delta:
                delta["reasoning_content"] = None
        if event.part == "finish":
            delta["content"] = ""
            event.data["usage"] = _usage(outcome)
        yield event


def _refuse_key(credential: str | None) -> VendorError:
    shown = f", Your api key: ****{credential[-4:]} is invalid" if credential else " (auth header is missing)"
    return VendorError(401, f"Authentication Fails{shown}", kind="authentication_error", code=_CODE)


def _failure(status: int, code: str | None) -> VendorError:
    said = _FAILURES.get(status)
    if said is None or code:
        return openai_errors.failure(status, code)
    return VendorError(status, said.message, kind=said.kind, code=said.code, retry_after=said.retry_after)


def _error(error: VendorError) -> Whole:
    """The error object; whatever is wrong, `param` is null and a code is there."""
    inner = {"message": error.message, "type": error.kind, "param": None, "code": error.code or _CODE}
    return Whole(payload={"error": inner}, status=error.status)


async def _balance(call: Call) -> Answer:
    """GET /user/balance: amounts are strings."""
    left = max(0, call.world.options.granted - call.world.accounts.spent(call.credential))
    amounts = {"total_balance": format_usd(left), "granted_balance": "0", "topped_up_balance": format_usd(left)}
    return Whole(payload={"is_available": left > 0, "balance_infos": [{"currency": "USD", **amounts}]})


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    no_model=lambda _name: VendorError(400, "Model Not Exist", code=_CODE),
    identity=seeds.uuid,
    fingerprint=lambda dice: f"fp_{seeds.hexadecimal(dice, 10)}_prod_fp8_kvcache",
    usage=_usage,
    events=_events,
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 64),
)

FACE = Face(
    name="deepseek",
    title="DeepSeek",
    routes=(
        *(Route("POST", f"{prefix}/chat/completions", openai_chat.chat(_MANNER)) for prefix in ("", "/v1", "/beta")),
        *(Route("GET", f"{prefix}/models", openai_chat.list_models(_MANNER)) for prefix in ("", "/v1", "/beta")),
        Route("GET", "/user/balance", _balance),
    ),
    credential=bearer,
    refuse_key=_refuse_key,
    failure=_failure,
    error=_error,
    stream_error=lambda error: Event(_error(error).payload, "end"),  # type: ignore[arg-type]
    no_route=openai_errors.no_route,
    wrong_method=openai_errors.wrong_method,
)
