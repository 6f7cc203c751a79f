"""An OpenAPI document as a promise: whether replies keep to it."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_AT = "urn:document"


@dataclass
class Contract:
    """A document, and what is asked of it."""

    document: dict[str, Any]
    _registry: Registry[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._registry = Registry().with_resource(_AT, Resource(self.document, DRAFT202012))

    def faults(self, schema: object, value: object) -> list[str]:
        """What is wrong with a value, by a schema of the document."""
        found = Draft202012Validator(_absolute(schema), registry=self._registry).iter_errors(value)
        return [f"{error.json_path}: {error.message}"[:500] for error in found]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """The description of an operation, by its template."""
        told: dict[str, Any] = self.document["paths"][path][method.lower()]
        return told

    def breaches(self, method: str, path: str, reply: httpx.Response) -> list[str]:
        """What a reply does that the document does not say: status, content type, headers, body."""
        answers = self.operation(method, path)["responses"]
        told = answers.get(str(reply.status_code)) or answers.get(f"{reply.status_code // 100}XX")
        if told is None:
            return [f"status {reply.status_code} is not documented: {reply.text[:300]}"]
        found = []
        for name in reply.headers:
            if name.startswith("x-") and name not in told.get("headers", {}):
                found.append(f"header {name} is not documented for {reply.status_code}")
        if told.get("headers", {}).get("x-request-id") and "x-request-id" not in reply.headers:
            found.append("there is no x-request-id")
        kind = reply.headers.get("content-type", "").partition(";")[0]
        media = told["content"].get(kind)
        if media is None:
            return [*found, f"content type {kind!r} is not documented for {reply.status_code}"]
        if kind == "application/json":
            return found + self.faults(media["schema"], reply.json())
        if "x-event-schema" in media:
            for event in events(reply.text):
                if event != "[DONE]":
                    found += self.faults(media["x-event-schema"], json.loads(event))
        return found


def events(text: str) -> list[str]:
    """The data of each event of a stream."""
    return [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]


def _absolute(schema: Any) -> Any:
    """A schema whose references lead into the document from outside."""
    if isinstance(schema, dict):
        return {key: _AT + one if key == "$ref" else _absolute(one) for key, one in schema.items()}
    if isinstance(schema, list):
        return [_absolute(one) for one in schema]
    return schema
