"""OpenAI's containers, in which its models run code, and their files; kept by the provider.

https://platform.openai.com/docs/api-reference/containers. A file of a container has an id of its own, whatever it was made of.
"""

from functools import partial

from unigate.dialects import openai_passed
from unigate.dialects.openai_errors import write_error
from unigate.spec.form import FormBounds

__all__ = ["OPERATIONS", "write_error"]

_row = partial(openai_passed.row, "containers", "container")

OPERATIONS = (
    _row("create", "POST /containers", body="json", files=("file_ids.*",)),
    _row("list", "GET /containers"),
    _row("get", "GET /containers/{id}"),
    _row("delete", "DELETE /containers/{id}"),
    _row(
        "files.create",
        "POST /containers/{id}/files",
        body="form",
        json_too=True,
        body_bytes=512 << 20,
        form=FormBounds(parts=16, fields=64 << 10),
        files=("file_id",),
    ),
    _row("files.list", "GET /containers/{id}/files"),
    _row("files.get", "GET /containers/{id}/files/{file_id}"),
    _row("files.delete", "DELETE /containers/{id}/files/{file_id}"),
    _row("files.content", "GET /containers/{id}/files/{file_id}/content", answer="bytes"),
)
