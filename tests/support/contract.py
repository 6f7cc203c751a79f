"""An OpenAPI document as a promise: whether replies keep to it."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_AT = "urn:document"


@dataclass
class Contract:
    """A document, and what is asked of it."""

    document: dict[str, Any]
    _registry: Registry[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._registry = Registry().with_resource(_AT, DRAFT202012.create_resource(self.document))

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
        headers = told.get("headers", {})
        unknown = [name for name in reply.headers if name.startswith("x-") and name not in headers]
        found = [f"header {name} is not documented for {reply.status_code}" for name in unknown]
        if "x-request-id" in headers and "x-request-id" not in reply.headers:
            found.append("there is no x-request-id")
        kind = reply.headers.get("content-type", "").partition(";")[0]
        content = told.get("content", {})
        if not content and not reply.content:
            return found
        media = content.get(kind) or content.get("*/*")
        if media is None:
            return [*found, f"content type {kind!r} is not documented for {reply.status_code}"]
        if kind.endswith("json"):
            return found + self.faults(media["schema"], reply.json())
        for event in events(reply.text) if kind == "text/event-stream" else ():
            found += self._event_faults(media["schema"], event)
        return found

    def _event_faults(self, schema: dict[str, Any], event: str) -> list[str]:
        """What is wrong with an event; what its data must be inside is for us to look at."""
        data = schema["properties"]["data"]
        forms = [form for form in data.get("anyOf", [data]) if "contentSchema" in form]
        if not forms:
            return self.faults(data, event)
        if event in {form.get("const") for form in data.get("anyOf", ())}:
            return []
        return self.faults(forms[0]["contentSchema"], json.loads(event))


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
