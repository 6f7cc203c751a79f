"""What Replicate's answers hold, as schemas and as they may look: predictions, models, versions, files, problems."""

from unigate.dialects.replicate_models import MODELS
from unigate.dialects.replicate_shown import openapi_schema
from unigate.reference.schema import (
    ANYTHING,
    NULL,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    record,
    ref,
    text,
    whole,
)

ID = "gm3qorzdhgbfurvjtvhg6dckhu"
_AT = f"https://ai.example.com/replicate/v1/predictions/{ID}"
_STREAM = (
    "https://ai.example.com/replicate/v1/streams/gm3qorzdhgbfurvjtvhg6dckhu?user=usr_01J9Z6&until=1790003600&sig=0a1b"
)
FILE_ID = "ZmFrZS1maWxlLWlk"
SDXL = MODELS["stability-ai/sdxl"]
_MOMENT = text("A moment (RFC 3339, UTC).")
PREDICTION = record(
    {
        "id": text("26 characters."),
        "model": text("`owner/name`."),
        "version": text("Its version; `hidden`: the vendor's affair."),
        "input": mapping(ANYTHING, "The input; large files in it are shortened."),
        "output": {
            "description": "Addresses, or what the model makes; null until then. Links end: ask again for fresh ones."
        },
        "logs": text(),
        "error": maybe(text("Why it failed.")),
        "status": text(
            "The last four are ends; `aborted`: before it began.",
            of=("starting", "processing", "succeeded", "failed", "canceled", "aborted"),
        ),
        "data_removed": flag(),
        "source": text(),
        "created_at": _MOMENT,
        "started_at": maybe(text("A moment; null: not yet.")),
        "completed_at": maybe(text("A moment; null: not yet.")),
        "metrics": mapping(ANYTHING, "What the vendor measured: `predict_time` in seconds, ..."),
        "urls": mapping(text(), "Where it is fetched (`get`), canceled (`cancel`) and streamed (`stream`)."),
        "deadline": text("When it is canceled, where `cancel-after` said so."),
        "deployment": text("The deployment that it runs on."),
    },
    "A prediction.",
    needs=("id", "model", "version", "input", "output", "logs", "error", "status", "created_at", "urls"),
)
SHOWN = {
    "id": ID,
    "model": "black-forest-labs/flux-schnell",
    "version": "hidden",
    "input": {"prompt": "A lighthouse in a storm"},
    "logs": "",
    "output": None,
    "data_removed": False,
    "error": None,
    "source": "api",
    "status": "starting",
    "created_at": "2026-08-20T10:00:00.113Z",
    "started_at": None,
    "completed_at": None,
    "urls": {"get": _AT, "cancel": f"{_AT}/cancel", "stream": _STREAM, "web": _AT},
}
DONE = {
    **SHOWN,
    "status": "succeeded",
    "output": ["https://ai.example.com/files/ast_01J9Z6V3Q9.webp?until=1790003600&sig=0a1b"],
    "started_at": "2026-08-20T10:00:00.200Z",
    "completed_at": "2026-08-20T10:00:00.720Z",
    "metrics": {"predict_time": 0.52},
}
VERSION = record(
    {
        "id": text("64 hexadecimal digits, or `hidden`."),
        "created_at": text(),
        "cog_version": text(),
        "openapi_schema": mapping(ANYTHING, "Input and output."),
    },
    "A version of a model.",
    needs=("id", "created_at", "cog_version", "openapi_schema"),
)
SHOWN_VERSION = {
    "id": SDXL.version,
    "created_at": SDXL.created_at,
    "cog_version": "0.9.0",
    "openapi_schema": openapi_schema(SDXL),
}
MODEL = record(
    {
        "url": text(),
        "owner": text(),
        "name": text(),
        "description": maybe(text()),
        "visibility": text(of=("public", "private")),
        "run_count": whole(low=0),
        "latest_version": either(ref("ReplicateVersion"), NULL),
    },
    "A model.",
    needs=("url", "owner", "name", "visibility", "run_count", "latest_version"),
)
FILE = record(
    {
        "id": text(),
        "content_type": text(),
        "size": whole(low=0),
        "checksums": mapping(text()),
        "metadata": mapping(ANYTHING),
        "created_at": text(),
        "expires_at": maybe(text("From then on the vendor has it no more.")),
        "urls": mapping(text(), "`get`: the address to put into an input."),
    },
    "An uploaded file.",
    needs=("id", "urls"),
)
SHOWN_FILE = {
    "id": FILE_ID,
    "content_type": "image/png",
    "size": 1024,
    "checksums": {"sha256": "7bad"},
    "metadata": {},
    "created_at": "2026-08-20T10:00:00.113Z",
    "expires_at": "2026-08-21T10:00:00.113Z",
    "urls": {"get": f"https://ai.example.com/replicate/v1/files/{FILE_ID}"},
}
PROBLEM = record(
    {
        "title": text(),
        "detail": text("What went wrong, for a person."),
        "status": whole("The HTTP status."),
        "code": text("The gateway's own code: stable, for programs. Refusals of the vendor have none."),
        "invalid_fields": many(
            record({"type": text(), "field": text(), "description": text()}, needs=("type", "field", "description")),
            "What is wrong with an input.",
        ),
        "retry_after": number("Seconds."),
    },
    "A problem document (RFC 7807).",
    needs=("detail",),
)
