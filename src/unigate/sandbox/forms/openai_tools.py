"""Reads and checks tools, tool_choice and response_format of an OpenAI chat call."""

import re
from typing import Any

from unigate.sandbox.brain.prompt import Choosing, Schema, Tool, Turn
from unigate.sandbox.forms import checks
from unigate.sandbox.serving.answer import Object

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PATTERN = "^[a-zA-Z0-9_-]+$"
_FREE: Schema = {"type": "object", "properties": {}}
_MOST = 128


def read_tools(body: Object) -> tuple[Tool, ...]:
    """The tools of a call, of the present form (`tools`) or the former one (`functions`)."""
    if body.get("tools") is not None:
        listed = checks.listed(body["tools"], "tools", least=1, most=_MOST)
        return tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(listed))
    if body.get("functions") is not None:
        listed = checks.listed(body["functions"], "functions", least=1, most=_MOST)
        return tuple(
            function(checks.mapping(tool, f"functions[{number}]"), f"functions[{number}]")
            for number, tool in enumerate(listed)
        )
    return ()


def _tool(value: Any, param: str) -> Tool:
    tool = checks.mapping(value, param)
    if "type" not in tool:
        raise checks.missing(f"{param}.type")
    kind = checks.one_of(tool["type"], f"{param}.type", ("function", "custom"))
    if kind not in tool:
        raise checks.missing(f"{param}.{kind}")
    inner = checks.mapping(tool[kind], f"{param}.{kind}")
    if kind == "function":
        return function(inner, f"{param}.function")
    name = _name(inner, f"{param}.custom")
    description = checks.text(inner, "description", f"{param}.custom.description")
    return Tool(name=name, description=description, schema=_FREE, custom=True)


def function(inner: Object, param: str) -> Tool:
    """A function that the model may call."""
    name = _name(inner, param)
    schema = inner.get("parameters")
    if schema is None:
        schema = _FREE
    schema = checks.mapping(schema, f"{param}.parameters")
    if schema and schema.get("type", "object") != "object":
        told = f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema['type']}\"'."
        raise checks.refuse(told, f"{param}.parameters", "invalid_function_parameters")
    checks.schema(schema, f"function '{name}'", f"{param}.parameters")
    if inner.get("strict") is True:
        checks.strict_schema(schema, f"function '{name}'", f"{param}.parameters")
    return Tool(name=name, description=checks.text(inner, "description", f"{param}.description"), schema=schema)


def _name(inner: Object, param: str) -> str:
    name = checks.text(inner, "name", f"{param}.name", required=True)
    if not _NAME.fullmatch(name):
        told = f"Invalid '{param}.name': string does not match pattern. Expected a string that matches the pattern '{_PATTERN}'."
        raise checks.refuse(told, f"{param}.name", "invalid_value")
    return name


def read_choosing(body: Object, tools: tuple[Tool, ...]) -> Choosing:
    """How tools are to be chosen."""
    parallel = checks.flag(body, "parallel_tool_calls")
    if parallel is not None and not tools:
        raise checks.refuse(
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
            "parallel_tool_calls",
        )
    old = body.get("tools") is None
    field = "function_call" if old and "function_call" in body else "tool_choice"
    choice = body.get(field)
    together = parallel is not False and field == "tool_choice" and "functions" not in body
    if choice is None:
        return Choosing(parallel=together)
    if not tools:
        needed = "functions" if field == "function_call" else "tools"
        raise checks.refuse(
            f"Invalid value for '{field}': '{field}' is only allowed when '{needed}' are specified.", field
        )
    if isinstance(choice, str):
        mode = checks.one_of(choice, field, ("none", "auto", "required"))
        return Choosing(mode=mode, parallel=together)  # type: ignore[arg-type]
    choice = checks.mapping(choice, field)
    if field == "tool_choice" and choice.get("type") == "allowed_tools":
        allowed = checks.mapping(choice.get("allowed_tools"), "tool_choice.allowed_tools")
        mode = checks.one_of(allowed.get("mode"), "tool_choice.allowed_tools.mode", ("auto", "required"))
        listed = checks.listed(allowed.get("tools"), "tool_choice.allowed_tools.tools", least=1)
        only = frozenset(_chosen(entry, "tool_choice.allowed_tools.tools", tools) for entry in listed)
        return Choosing(mode=mode, only=only, parallel=together)  # type: ignore[arg-type]
    named = choice if field == "function_call" else None
    return Choosing(mode="required", only=frozenset({_chosen(choice, field, tools, named)}), parallel=False)


def _chosen(choice: Any, field: str, tools: tuple[Tool, ...], named: Object | None = None) -> str:
    """The name that a choice means, which must be that of a tool."""
    if named is None:
        choice = checks.mapping(choice, field)
        kind = checks.one_of(choice.get("type"), f"{field}.type", ("function", "custom"))
        if kind not in choice:
            raise checks.missing(f"{field}.{kind}")
        named = checks.mapping(choice[kind], f"{field}.{kind}")
    name = checks.text(named, "name", f"{field}.function.name", required=True)
    if name not in {tool.name for tool in tools}:
        raise checks.refuse(f"Tool choice '{name}' not found in 'tools' parameter.", field)
    return name


def read_format(body: Object, turns: tuple[Turn, ...]) -> Schema | None:
    """The schema of the answer; None where it is free text."""
    value = body.get("response_format")
    if value is None:
        return None
    form = checks.mapping(value, "response_format")
    if "type" not in form:
        raise checks.missing("response_format.type")
    kind = checks.one_of(form["type"], "response_format.type", ("json_object", "json_schema", "text"))
    if kind == "text":
        return None
    if kind == "json_object":
        if not any("json" in turn.text.lower() for turn in turns):
            told = (
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            )
            raise checks.refuse(told, "messages")
        return {"type": "object", "properties": {"answer": {"type": "string"}, "topic": {"type": "string"}}}
    if "json_schema" not in form:
        raise checks.missing("response_format.json_schema")
    inner = checks.mapping(form["json_schema"], "response_format.json_schema")
    param = "response_format.json_schema"
    name = _name(inner, param)
    schema = checks.mapping(checks.given(inner, "schema", {}), f"{param}.schema")
    checks.schema(schema, f"response_format '{name}'", "response_format")
    if inner.get("strict") is True:
        checks.strict_schema(schema, f"response_format '{name}'", "response_format")
    return schema
