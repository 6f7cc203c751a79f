"""Where a file lies in its storage. Follows from its row, so that each try to copy it goes to the same place."""

import re

from unigate.base.clock import utc
from unigate.store.assets import AssetRow
from unigate.tasks.media import ending

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def place(row: AssetRow, media_type: str) -> str:
    """`{yyyy}/{mm}/{task}/{asset}.{ending}`."""
    return beginning(row) + ending(media_type, row.source)


def beginning(row: AssetRow) -> str:
    """The same as far as it is known before the file was seen: up to and with the dot."""
    return f"{utc(row.created_at):%Y/%m}/{_UNSAFE.sub('_', row.task_id)}/{row.id}."
