"""Names of a batch's lines, and the operation that they call. The ids follow from the batch, whoever asks."""

from functools import cache

from unigate.dialects import operations
from unigate.spec.operation import Operation


@cache
def operation_at(endpoint: str) -> Operation:
    """The operation that is called at a path."""
    return next(row for row in operations() if row.path == endpoint and row.method == "POST" and not row.within)


def line_id(batch_id: str, number: int) -> str:
    """The id under which a line is charged: always the same, so that it is charged once."""
    return f"req_{batch_id.removeprefix('batch_')}_{number}"


def shown_id(batch_id: str, number: int) -> str:
    """The id of a line of the files."""
    return f"batch_req_{batch_id.removeprefix('batch_')}_{number}"
