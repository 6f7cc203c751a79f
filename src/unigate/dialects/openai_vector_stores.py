"""OpenAI's vector stores, their files, batches of files, and search; kept by the provider.

https://platform.openai.com/docs/api-reference/vector-stores
"""

from functools import partial

from unigate.dialects import openai_passed
from unigate.dialects.openai_errors import write_error

__all__ = ["OPERATIONS", "write_error"]

_row = partial(openai_passed.row, "vector_stores", "vector_store")
#: A page of files, and where it begins.
_PAGE = ("?after", "?before")
_FILES = ("data.*.id", "first_id", "last_id")

OPERATIONS = (
    _row("create", "POST /vector_stores", body="json", files=("file_ids.*",)),
    _row("list", "GET /vector_stores"),
    _row("get", "GET /vector_stores/{id}"),
    _row("update", "POST /vector_stores/{id}", body="json"),
    _row("delete", "DELETE /vector_stores/{id}"),
    _row("search", "POST /vector_stores/{id}/search", body="json", shows_files=("data.*.file_id",)),
    _row("files.create", "POST /vector_stores/{id}/files", body="json", files=("file_id",), shows_files=("id",)),
    _row("files.list", "GET /vector_stores/{id}/files", files=_PAGE, shows_files=_FILES),
    _row("files.get", "GET /vector_stores/{id}/files/{file_id}", files=("{file_id}",), shows_files=("id",)),
    _row(
        "files.update",
        "POST /vector_stores/{id}/files/{file_id}",
        body="json",
        files=("{file_id}",),
        shows_files=("id",),
    ),
    _row("files.delete", "DELETE /vector_stores/{id}/files/{file_id}", files=("{file_id}",), shows_files=("id",)),
    _row("files.content", "GET /vector_stores/{id}/files/{file_id}/content", files=("{file_id}",)),
    _row(
        "file_batches.create",
        "POST /vector_stores/{id}/file_batches",
        body="json",
        files=("file_ids.*", "files.*.file_id"),
    ),
    _row("file_batches.get", "GET /vector_stores/{id}/file_batches/{batch_id}"),
    _row("file_batches.cancel", "POST /vector_stores/{id}/file_batches/{batch_id}/cancel"),
    _row(
        "file_batches.files", "GET /vector_stores/{id}/file_batches/{batch_id}/files", files=_PAGE, shows_files=_FILES
    ),
)
