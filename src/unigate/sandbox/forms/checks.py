"""Checks of single parameters, with the messages and codes that OpenAI answers to wrong ones."""

import base64
import binascii
from collections.abc import Collection
from typing import Any

from unigate.sandbox.serving.answer import Object, VendorError

_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def refuse(message: str, param: str | None, code: str | None = None) -> VendorError:
    """A 400 for a parameter."""
    return VendorError(400, message, param=param, code=code)


def wrong_type(param: str, expected: str, value: object) -> VendorError:
    """A value of a wrong type."""
    got = _NAMES.get(type(value), "a value")
    return refuse(f"Invalid type for '{param}': expected {expected}, but got {got} instead.", param, "invalid_type")


def missing(param: str) -> VendorError:
    """A parameter that must be there."""
    return refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def number(body: Object, name: str, low: float, high: float) -> float | None:
    """A decimal within bounds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a decimal", value)
    _bounded(name, value, low, high, "decimal")
    return float(value)


def integer(body: Object, name: str, low: int, high: int | None, param: str = "") -> int | None:
    """An integer within bounds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(param or name, "an integer", value)
    _bounded(param or name, value, low, high, "integer")
    return value


def _bounded(name: str, value: float, low: float, high: float | None, kind: str) -> None:
    if value < low:
        raise refuse(
            f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            name,
            f"{kind}_below_min_value",
        )
    if high is not None and value > high:
        raise refuse(
            f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            name,
            f"{kind}_above_max_value",
        )


def flag(body: Object, name: str) -> bool | None:
    """A boolean."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(name, "a boolean", value)
    return value


def text(body: Object, name: str, param: str, *, required: bool = False) -> str:
    """A string; empty where it is missing and may be."""
    value = body.get(name)
    if value is None:
        if required:
            raise missing(param)
        return ""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value


def given(body: Object, name: str, usual: Any) -> Any:
    """A member as it was sent, of whatever type; `usual` where it is absent or null."""
    value = body.get(name)
    return usual if value is None else value


def mapping(value: Any, param: str) -> Object:
    """An object."""
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    return value


def listed(value: Any, param: str, of: str = "objects", *, least: int = 0, most: int | None = None) -> list[Any]:
    """An array within bounds of length."""
    if not isinstance(value, list):
        raise wrong_type(param, f"an array of {of}", value)
    if len(value) < least:
        raise refuse(
            f"Invalid '{param}': empty array. Expected an array with minimum length {least}, but got an empty array instead.",
            param,
            "empty_array",
        )
    if most is not None and len(value) > most:
        raise refuse(
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array with "
            f"length {len(value)} instead.",
            param,
            "array_above_max_length",
        )
    return value


def one_of(value: object, param: str, allowed: Collection[str]) -> str:
    """A string out of a set."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    if value not in allowed:
        names = [f"'{name}'" for name in allowed]
        shown = ", ".join(names[:-1]) + f", and {names[-1]}" if len(names) > 1 else names[0]
        raise refuse(f"Invalid value: '{value}'. Supported values are: {shown}.", param, "invalid_value")
    return value


#: Members of a JSON schema -> what they hold.
_HOLDS: dict[str, tuple[type[dict[Any, Any]] | type[list[Any]], str]] = {
    **dict.fromkeys(("properties", "$defs", "definitions"), (dict, "an object")),
    **dict.fromkeys(("anyOf", "allOf", "oneOf", "prefixItems", "required", "enum"), (list, "an array")),
}


def schema(told: object, what: str, param: str) -> None:
    """Refuse a JSON schema whose parts are of types that no schema has."""
    if isinstance(told, bool):
        return
    if not isinstance(told, dict):
        raise _no_schema(what, param, told, "an object")
    for name, (kind, meant) in _HOLDS.items():
        part: Any = told.get(name)
        if part is None:
            continue
        if not isinstance(part, kind):
            raise _no_schema(what, param, part, meant)
        if name not in ("required", "enum"):
            inner: Collection[object] = part.values() if isinstance(part, dict) else part
            for one in inner:
                schema(one, what, param)
    for name in ("items", "additionalProperties"):
        if told.get(name) is not None:
            schema(told[name], what, param)


def _no_schema(what: str, param: str, value: object, meant: str) -> VendorError:
    got = _NAMES.get(type(value), "a value")
    return refuse(f"Invalid schema for {what}: expected {meant}, but got {got}.", param, _schema_code(what))


def strict_schema(schema: object, what: str, param: str, where: tuple[str, ...] = ()) -> None:
    """Refuse a schema that strict mode does not take: objects must be closed, and require all of their properties."""
    if not isinstance(schema, dict):
        return
    context = "(" + ", ".join(f"'{step}'" for step in where) + ("," if len(where) == 1 else "") + ")"
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False:
            raise _not_strict(
                what, param, context, "'additionalProperties' is required to be supplied and to be false."
            )
        lacking = [name for name in properties if name not in (schema.get("required") or ())]
        if lacking:
            told = f"'required' is required to be supplied and to be an array including every key in properties. Missing '{lacking[0]}'."
            raise _not_strict(what, param, context, told)
    for group in ("properties", "$defs", "definitions"):
        for name, part in (schema.get(group) or {}).items():
            strict_schema(part, what, param, (*where, group, name))
    strict_schema(schema.get("items"), what, param, (*where, "items"))
    for number, part in enumerate(schema.get("anyOf") or ()):
        strict_schema(part, what, param, (*where, "anyOf", str(number)))


def _not_strict(what: str, param: str, context: str, told: str) -> VendorError:
    return refuse(f"Invalid schema for {what}: In context={context}, {told}", param, _schema_code(what))


def _schema_code(what: str) -> str:
    return "invalid_json_schema" if "response" in what else "invalid_function_parameters"


def decoded(data: str, param: str) -> bytes:
    """Bytes given in base64."""
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise refuse(f"Invalid '{param}': the data is not valid base64.", param, "invalid_base64") from None
