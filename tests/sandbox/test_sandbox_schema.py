"""Structured answers: instances of JSON schemas, whatever the schema."""

import contextlib
import json
import re
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from sandbox_client import Sandbox, user

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import Hints
from unigate.sandbox.brain.patterns import matching
from unigate.sandbox.brain.schema import BadSchema, Maker, instance

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
    "required": ["name", "children"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "scalars": {
        "type": "object",
        "properties": {
            "s": {"type": "string", "minLength": 30, "maxLength": 40},
            "short": {"type": "string", "maxLength": 3},
            "i": {"type": "integer", "minimum": -7, "maximum": -3},
            "n": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "m": {"type": "integer", "multipleOf": 7, "minimum": 100},
            "d": {"type": "number", "multipleOf": 0.25, "maximum": 2},
            "b": {"type": "boolean"},
            "z": {"type": "null"},
        },
        "required": ["s", "short", "i", "n", "m", "d", "b", "z"],
    },
    "older exclusive bounds": {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 4},
    "enum and const": {
        "type": "object",
        "properties": {"e": {"enum": ["red", 2, None]}, "c": {"const": {"x": [1]}}},
        "required": ["e", "c"],
    },
    "several types": {"type": ["null", "integer"], "minimum": 5},
    "arrays": {
        "type": "object",
        "properties": {
            "many": {"type": "array", "items": {"type": "string"}, "minItems": 6, "uniqueItems": True},
            "none": {"type": "array", "maxItems": 0},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
            "closed": {"type": "array", "prefixItems": [{"type": "boolean"}], "items": False, "minItems": 1},
            "few": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3, "maxItems": 3},
        },
        "required": ["many", "none", "pair", "closed", "few"],
    },
    "references": {
        "$ref": "#/$defs/pair",
        "$defs": {"pair": {"type": "array", "items": {"$ref": "#/$defs/n"}}, "n": {"type": "integer"}},
    },
    "a tree": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "a list that must end": {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["v", "next"],
    },
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    "one of": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": "x"}, "x": {"type": "integer"}},
                "required": ["kind", "x"],
            },
            {
                "type": "object",
                "properties": {"kind": {"const": "y"}, "y": {"type": "string"}},
                "required": ["kind", "y"],
            },
        ]
    },
    "maps": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3},
    "required but not described": {"type": "object", "required": ["ghost"]},
    "escaped reference": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer", "minimum": 9, "maximum": 9}}},
    "without types": {"properties": {"a": {"items": {"minimum": 4}}}, "required": ["a"]},
    "formats": {
        "type": "object",
        "properties": {
            name: {"type": "string", "format": name}
            for name in ("date-time", "date", "time", "email", "ipv4", "ipv6", "uuid", "hostname", "uri", "duration")
        },
        "required": ["date-time", "date", "email", "ipv4", "ipv6", "uuid"],
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_instances_are_valid(name: str) -> None:
    schema = SCHEMAS[name]
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    validator = jsonschema.Draft4Validator if name == "older exclusive bounds" else jsonschema.Draft202012Validator
    for number in range(60):
        source = seeds.dice(name, number)
        made = Maker(schema, source, Hints("Three red boats by Ada in Rome, 12 of 40", source)).make()
        validator(schema, format_checker=checker).validate(made)


def test_endless_schemas_end() -> None:
    endless = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}},
    }
    loop = {"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}
    for schema in (endless, loop):
        made = Maker(schema, seeds.dice(1), Hints("", seeds.dice(1))).make()
        assert len(json.dumps(made)) < 5000


_LEAVES = st.one_of(
    st.builds(
        lambda a, b: {"type": "integer", "minimum": a, "maximum": a + b}, st.integers(-99, 99), st.integers(0, 50)
    ),
    st.builds(
        lambda a, b: {"type": "string", "minLength": a, "maxLength": a + b}, st.integers(0, 20), st.integers(0, 20)
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(max_size=5), min_size=1, max_size=4)),
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda item, n: {"type": "array", "items": item, "minItems": n}, inner, st.integers(0, 3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=4).map(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[::2],
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(_SCHEMAS, st.integers(0, 1000))
def test_any_schema(schema: dict[str, Any], number: int) -> None:
    source = seeds.dice(number)
    jsonschema.validate(Maker(schema, source, Hints("About 5 boats", source)).make(), schema)


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 20_000)
    | st.sampled_from(["object", "array", "#", "#/a", "string", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "anyOf",
                    "allOf",
                    "$ref",
                    "enum",
                    "minItems",
                    "maxItems",
                    "minLength",
                    "maxLength",
                    "pattern",
                    "multipleOf",
                    "minimum",
                    "maximum",
                    "format",
                    "const",
                    "additionalProperties",
                    "prefixItems",
                    "uniqueItems",
                    "minProperties",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "required"]), _JUNK))
def test_nonsense_is_refused_or_survived(schema: dict[str, Any]) -> None:
    source = seeds.dice(1)
    with contextlib.suppress(BadSchema):
        json.dumps(instance(schema, source, Hints("", source)))


@pytest.mark.parametrize(
    "schema",
    [{"type": "array", "minItems": 10**9}, {"type": "string", "minLength": 10**9}, {"multipleOf": "x"}, {"$ref": 5}],
)
def test_schemas_that_make_no_sense(sandbox: Sandbox, schema: dict[str, Any]) -> None:
    answer = sandbox.post(response_format=_format(schema, strict=False))
    assert answer.status_code in (200, 400)
    if schema != {"$ref": 5}:
        assert answer.json()["error"]["code"] == "invalid_json_schema"


PATTERNS = [
    r"^[A-Z]{2,3}-\d{4}$",
    r"^(red|green|blue)?$",
    r"^\+?[1-9]\d{1,14}$",
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$",
    r"^\w+\s\w+$",
    r"a.c",
    r"^[\w.-]+$",
    r"^(?P<year>\d{4})/(?P<rest>x+)$",
    r"^v\d+\.\d+\.\d+$",
    r"^[a\]b]+\.txt$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_matched(pattern: str) -> None:
    for number in range(40):
        text = matching(pattern, seeds.dice(pattern, number))
        assert text is not None
        assert re.search(pattern, text)


@pytest.mark.parametrize("pattern", ["(", "[a", r"^(?=a)b$", "(a)\\1", "[^", r"\b\w{3}\b", "x{9999999}"])
def test_patterns_beyond_us_give_nothing(pattern: str) -> None:
    text = matching(pattern, seeds.dice(pattern))
    assert text is None or re.search(pattern, text)


class Ingredient(BaseModel):
    name: str
    grams: int = Field(ge=1, le=500)


class Recipe(BaseModel):
    title: str
    kind: Literal["soup", "cake", "salad"]
    ingredients: list[Ingredient]
    parent: "Recipe | None"


def test_the_sdk_parses_models(sandbox: Sandbox) -> None:
    answer = sandbox.openai().chat.completions.parse(
        model="gpt-4o", messages=user("A recipe for a salad, please"), response_format=Recipe
    )
    recipe = answer.choices[0].message.parsed
    assert recipe is not None
    assert recipe.kind == "salad"
    assert recipe.ingredients


def test_json_objects(sandbox: Sandbox) -> None:
    answer = sandbox.post(messages=user("Answer in JSON: who?"), response_format={"type": "json_object"}).json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"]), dict)


def _format(schema: dict[str, Any], strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "thing", "strict": strict, "schema": schema}}


def test_streamed_instances_and_limits(sandbox: Sandbox) -> None:
    shape = _format(NODE | {"properties": {"name": {"type": "string"}}, "required": ["name"]})
    chunks = sandbox.chunks(response_format=shape, messages=user("A thing named Zed"))
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert json.loads(text) == {"name": "Zed"}
    cut = sandbox.post(response_format=shape, max_tokens=2).json()["choices"][0]
    assert cut["finish_reason"] == "length"
    assert not cut["message"]["content"].endswith("}")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
            "Missing 'a'",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"type": "object"}}},
                "required": ["a"],
                "additionalProperties": False,
            },
            "('properties', 'a', 'items')",
        ),
    ],
)
def test_strict_schemas_are_checked(sandbox: Sandbox, schema: dict[str, Any], told: str) -> None:
    answer = sandbox.post(response_format=_format(schema))
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "response_format"
    assert sandbox.post(response_format=_format(schema, strict=False)).status_code == 200
    function = {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}
    if schema["type"] == "object":
        refused = sandbox.post(tools=[function])
        assert refused.json()["error"]["code"] == "invalid_function_parameters"
