"""Reads and checks a whole call of OpenAI's responses: what is asked of which model, and how it is to be answered."""

import re
from typing import Any

import msgspec

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.prompt import Choosing, Prompt, Schema, Tool, Turn
from unigate.sandbox.forms import checks
from unigate.sandbox.forms.models import Model
from unigate.sandbox.forms.openai_request import Asked
from unigate.sandbox.serving.answer import Object

#: The vendor's least `max_output_tokens`.
_LEAST = 16
#: Fields that do not change what is said; the input is in the turns, whose ids are left out.
_MUTE = frozenset(
    {"stream", "stream_options", "user", "metadata", "store", "safety_identifier", "service_tier", "include"}
    | {"input", "previous_response_id", "conversation"}
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES = ("auto", "concise", "detailed")
_TIERS = {
    "auto": "default",
    "default": "default",
    "flex": "flex",
    "scale": "default",
    "priority": "priority",
    "fast": "priority",
}
_INCLUDED = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_HOSTED = (
    "file_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "code_interpreter",
    "image_generation",
    "computer_use_preview",
    "computer",
    "mcp",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
    "namespace",
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_FREE: Schema = {"type": "object", "properties": {}}
_ANY: Schema = {"type": "object", "properties": {"answer": {"type": "string"}, "topic": {"type": "string"}}}
_deterministic = msgspec.json.Encoder(order="deterministic")


def read(body: Object, model: Model, turns: tuple[Turn, ...]) -> Asked:
    """What is asked in a conversation of these turns; VendorError as the vendor would refuse it."""
    if checks.flag(body, "background"):
        _check_background(body)
    _check(body)
    reasoning = _reasoning(body, model)
    instructions = checks.text(body, "instructions", "instructions")
    if instructions:
        turns = (Turn(role="system", text=instructions), *turns)
    tools = _tools(body)
    said = {name: value for name, value in body.items() if name not in _MUTE}
    options = checks.mapping(checks.given(body, "stream_options", {}), "stream_options")
    return Asked(
        model=model,
        prompt=Prompt(
            turns=turns,
            tools=tools,
            choosing=_choosing(body, tools),
            schema=_format(body, turns),
            seed=seeds.seed(_deterministic.encode(said), *map(str, turns)),
        ),
        body=body,
        stream=bool(checks.flag(body, "stream")),
        obfuscate=checks.flag(options, "include_obfuscation") is not False,
        limit=_limit(body, model),
        effort=checks.one_of(checks.given(reasoning, "effort", "medium"), "reasoning.effort", _EFFORTS),
        tier=_TIERS[checks.one_of(checks.given(body, "service_tier", "auto"), "service_tier", _TIERS)],
    )


def _check_background(body: Object) -> None:
    if body.get("store") is False:
        raise checks.refuse("Background mode requires 'store' to be true.", "store", "invalid_value")
    if body.get("stream"):
        raise checks.refuse("The sandbox streams nothing that is made in the background.", "stream", "invalid_value")


def _check(body: Object) -> None:
    """Check what is accepted without effect."""
    checks.number(body, "temperature", 0, 2)
    checks.number(body, "top_p", 0, 1)
    checks.integer(body, "top_logprobs", 0, 20)
    checks.integer(body, "max_tool_calls", 1, None)
    checks.flag(body, "store")
    checks.text(body, "user", "user")
    for name, value in checks.mapping(checks.given(body, "metadata", {}), "metadata").items():
        checks.text({name: value}, name, f"metadata.{name}")
    for at, name in enumerate(checks.listed(checks.given(body, "include", []), "include", "strings")):
        checks.one_of(name, f"include[{at}]", _INCLUDED)
    checks.one_of(checks.given(body, "truncation", "disabled"), "truncation", ("auto", "disabled"))


def _reasoning(body: Object, model: Model) -> Object:
    reasoning = checks.mapping(checks.given(body, "reasoning", {}), "reasoning")
    if reasoning.get("summary") is not None:
        checks.one_of(reasoning["summary"], "reasoning.summary", _SUMMARIES)
    if not model.reasoning:
        refused = [f"reasoning.{name}" for name in ("effort", "summary") if reasoning.get(name)]
    elif reasoning.get("effort") == "none":
        refused = []
    else:
        refused = [name for name in ("temperature", "top_p") if body.get(name) is not None]
    for name in refused:
        told = f"Unsupported parameter: '{name}' is not supported with this model."
        raise checks.refuse(told, name, "unsupported_parameter")
    return reasoning


def _limit(body: Object, model: Model) -> int | None:
    limit = checks.integer(body, "max_output_tokens", _LEAST, None)
    if limit is not None and limit > model.output:
        told = f"Invalid 'max_output_tokens': this model supports at most {model.output} output tokens, got {limit}."
        raise checks.refuse(told, "max_output_tokens", "integer_above_max_value")
    return limit


def _tools(body: Object) -> tuple[Tool, ...]:
    """The tools that the caller runs; of the vendor's some do something, elsewhere."""
    made = []
    for number, value in enumerate(checks.listed(checks.given(body, "tools", []), "tools")):
        at = f"tools[{number}]"
        tool = checks.mapping(value, at)
        kind = checks.one_of(tool.get("type"), f"{at}.type", ("function", "custom", *_HOSTED))
        if kind in _HOSTED:
            continue
        name = checks.text(tool, "name", f"{at}.name", required=True)
        if not _NAME.fullmatch(name):
            told = f"Invalid '{at}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            raise checks.refuse(told, f"{at}.name", "invalid_value")
        schema = _FREE
        if kind == "function":
            schema = checks.mapping(tool.get("parameters") or _FREE, f"{at}.parameters")
            checks.schema(schema, f"function '{name}'", f"{at}.parameters")
            if tool.get("strict") is True:
                checks.strict_schema(schema, f"function '{name}'", f"{at}.parameters")
        described = checks.text(tool, "description", f"{at}.description")
        made.append(Tool(name=name, description=described, schema=schema, custom=kind == "custom"))
    return tuple(made)


def _choosing(body: Object, tools: tuple[Tool, ...]) -> Choosing:
    parallel = checks.flag(body, "parallel_tool_calls") is not False
    choice = body.get("tool_choice")
    if choice is None:
        return Choosing(parallel=parallel)
    if isinstance(choice, str):
        mode = checks.one_of(choice, "tool_choice", ("none", "auto", "required"))
        return Choosing(mode=mode, parallel=parallel)  # type: ignore[arg-type]
    chosen = checks.mapping(choice, "tool_choice")
    kind = checks.one_of(chosen.get("type"), "tool_choice.type", ("function", "custom", "allowed_tools", *_HOSTED))
    if kind in _HOSTED:
        return Choosing(parallel=parallel)
    if kind == "allowed_tools":
        mode = checks.one_of(chosen.get("mode"), "tool_choice.mode", ("auto", "required"))
        listed = checks.listed(chosen.get("tools"), "tool_choice.tools", least=1)
        only = frozenset(_chosen(one, tools) for one in listed if not _is_hosted(one))
        return Choosing(mode=mode, only=only, parallel=parallel)  # type: ignore[arg-type]
    return Choosing(mode="required", only=frozenset({_chosen(chosen, tools)}), parallel=False)


def _is_hosted(one: Any) -> bool:
    return isinstance(one, dict) and one.get("type") in _HOSTED


def _chosen(one: Any, tools: tuple[Tool, ...]) -> str:
    name = checks.text(checks.mapping(one, "tool_choice"), "name", "tool_choice.name", required=True)
    if name not in {tool.name for tool in tools}:
        raise checks.refuse(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")
    return name


def _format(body: Object, turns: tuple[Turn, ...]) -> Schema | None:
    """The schema of the answer; None where it is free text."""
    form = checks.mapping(checks.mapping(checks.given(body, "text", {}), "text").get("format") or {}, "text.format")
    kind = checks.one_of(checks.given(form, "type", "text"), "text.format.type", ("text", "json_object", "json_schema"))
    if kind == "text":
        return None
    if kind == "json_object":
        if not any("json" in turn.text.lower() for turn in turns):
            told = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
            raise checks.refuse(told, "input")
        return _ANY
    name = checks.text(form, "name", "text.format.name", required=True)
    schema = checks.mapping(form.get("schema"), "text.format.schema")
    checks.schema(schema, f"response_format '{name}'", "text.format.schema")
    if form.get("strict") is True:
        checks.strict_schema(schema, f"response_format '{name}'", "text.format.schema")
    return schema
