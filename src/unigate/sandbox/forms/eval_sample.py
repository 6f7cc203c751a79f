"""What a model says to an item of an eval: its messages filled in, its options, its answer as graders and callers see it."""

from unigate.sandbox.forms import eval_graders
from unigate.sandbox.serving import inner
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

CHAT = "/v1/chat/completions"
_RESPONSES = "/v1/responses"


async def asked(call: Call, source: Object, row: Object, answer: inner.Work) -> Object:
    """What a model says to a row, as graders and callers see it; empty where none is asked."""
    options = source.get("sampling_params") or {}
    sample: Object = {
        "input": [],
        "output": [],
        "output_text": "",
        "finish_reason": "stop",
        "model": source.get("model"),
        "usage": dict.fromkeys(("total_tokens", "completion_tokens", "prompt_tokens", "cached_tokens"), 0),
        "error": None,
        **{name: options.get(name) for name in ("temperature", "max_completion_tokens", "top_p", "seed")},
    }
    if "model" not in source:
        return sample
    sample["input"] = _input(source.get("input_messages") or {}, row)
    chat = source["type"] == "completions"
    body = {"model": source["model"], "messages" if chat else "input": sample["input"], **_options(options, chat=chat)}
    told = await answer(call, CHAT if chat else _RESPONSES, body)
    if told.status != 200 or not isinstance(told.body, dict):
        error = told.body.get("error", {}) if isinstance(told.body, dict) else {}
        sample["error"] = {"code": error.get("code") or error.get("type"), "message": error.get("message")}
        return sample
    text = chat_text(told.body) if chat else _response_text(told.body)
    usage = told.body["usage"]
    details = usage["prompt_tokens_details" if chat else "input_tokens_details"]
    sample["output"], sample["output_text"] = [{"role": "assistant", "content": text}], text
    sample["model"] = told.body["model"]
    sample["usage"] = {
        "prompt_tokens": usage["prompt_tokens" if chat else "input_tokens"],
        "completion_tokens": usage["completion_tokens" if chat else "output_tokens"],
        "total_tokens": usage["total_tokens"],
        "cached_tokens": details["cached_tokens"],
    }
    return sample


def _options(given: Object, *, chat: bool) -> Object:
    """How a model is to answer, in the words of chats or of responses."""
    options = {name: value for name, value in given.items() if value is not None}
    if not chat:
        options.pop("seed", None)
        for name, other in (("max_completion_tokens", "max_output_tokens"), ("reasoning_effort", "reasoning")):
            if name in options:
                value = options.pop(name)
                options[other] = {"effort": value} if other == "reasoning" else value
    return options


def _input(template: Object, row: Object) -> list[Object]:
    """The messages that a model is asked with."""
    if template.get("type") == "item_reference":
        value: object = row
        for step in str(template.get("item_reference")).split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return eval_graders.messages(value if isinstance(value, list) else [], {})
    return eval_graders.messages(template.get("template") or [], row)


def chat_text(body: object) -> str:
    """What a chat was answered."""
    return str(body["choices"][0]["message"]["content"] or "") if isinstance(body, dict) else ""


def _response_text(body: Object) -> str:
    parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)
