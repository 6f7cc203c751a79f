"""What a gateway serves beside the relay and its management: health, figures, and this document."""

from collections.abc import Mapping

from unigate.reference.schema import Schema, mapping, record, text

TAG = {"name": "System", "description": "Open without a key."}


def _path(name: str, title: str, about: str, answers: Mapping[str, tuple[str, str, Schema]]) -> dict[str, object]:
    responses = {
        status: {"description": told, "content": {kind: {"schema": schema}} if kind else {}}
        for status, (told, kind, schema) in answers.items()
    }
    operation = {
        "operationId": f"system.{name}",
        "tags": [TAG["name"]],
        "summary": title,
        "description": about,
        "responses": responses,
        "security": [],
    }
    return {"get": operation}


_JSON = "application/json"
_HEALTH = record({"status": text(of=("ok",))}, needs=("status",))
_READY = record(
    {"status": text(of=("ok", "unavailable")), "checks": mapping(text(), "Each part: `ok`, or what is wrong with it.")},
    needs=("status", "checks"),
)
PATHS: Mapping[str, Mapping[str, object]] = {
    "/healthz": _path(
        "healthz", "Whether the process lives", "For supervisors.", {"200": ("It does.", _JSON, _HEALTH)}
    ),
    "/readyz": _path(
        "readyz",
        "Whether calls are served",
        "For load balancers.",
        {"200": ("They are.", _JSON, _READY), "503": ("They are not.", _JSON, _READY)},
    ),
    "/metrics": _path(
        "metrics",
        "Figures for Prometheus",
        "Of all workers of the node.",
        {"200": ("Prometheus' text format.", "text/plain", text())},
    ),
    "/openapi.json": _path(
        "openapi",
        "This document",
        "It has an `etag`: ask with `if-none-match` to learn whether it changed.",
        {"200": ("OpenAPI 3.1.", _JSON, record({"openapi": text()})), "304": ("It did not change.", "", {})},
    ),
}
