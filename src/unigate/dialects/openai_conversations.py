"""OpenAI's conversations and their items; kept by the provider.

https://platform.openai.com/docs/api-reference/conversations
"""

from functools import partial

from unigate.dialects import openai_passed
from unigate.dialects.openai_errors import write_error

__all__ = ["OPERATIONS", "write_error"]

_row = partial(openai_passed.row, "conversations", "conversation")
#: Parts of a message, and of what a function gave.
_NAMED = ("items.*.content.*.file_id", "items.*.output.*.file_id", "items.*.output.file_id")
_ITEM = ("content.*.file_id", "content.*.annotations.*.file_id", "output.*.file_id", "results.*.file_id")
_ITEMS = tuple(f"data.*.{place}" for place in _ITEM)

OPERATIONS = (
    _row("create", "POST /conversations", body="json", files=_NAMED),
    _row("get", "GET /conversations/{id}"),
    _row("update", "POST /conversations/{id}", body="json"),
    _row("delete", "DELETE /conversations/{id}"),
    _row("items.create", "POST /conversations/{id}/items", body="json", files=_NAMED, shows_files=_ITEMS),
    _row("items.list", "GET /conversations/{id}/items", shows_files=_ITEMS),
    _row("items.get", "GET /conversations/{id}/items/{item_id}", shows_files=_ITEM),
    _row("items.delete", "DELETE /conversations/{id}/items/{item_id}"),
)
