"""Where providers tell of tasks that they work on: a secret address for each task, open to whoever has it.

Nobody learns anything here: what is not right is as if it were not there.
"""

from unigate.base.errors import NotFound
from unigate.dialects.openai_errors import write_error
from unigate.spec.operation import Operation

__all__ = ["LIMIT", "OPERATIONS", "unknown", "write_error"]

#: Bytes of what a provider tells.
LIMIT = 1 << 20


def _operation(name: str, method: str) -> Operation:
    return Operation(
        name=f"callbacks.{name}",
        method=method,
        path="/callbacks/{task}/{secret}",
        dialect="callbacks",
        family="callbacks",
        use="task_callback",
        scope=None,
        free=True,
        body="raw",
        body_bytes=LIMIT,
    )


OPERATIONS = (_operation("post", "POST"), _operation("get", "GET"))


def unknown() -> NotFound:
    """The error for every address that is not a task's."""
    return NotFound("Not found.")
