"""Errors as replies: status, headers and body in the form of the dialect that was spoken. Never a stack trace or a secret."""

import math
from collections.abc import Callable
from typing import Protocol

from unigate.base.errors import GatewayError, UpstreamRefused
from unigate.dialects import openai_errors
from unigate.spec.exchange import Header

_JSON = b"application/json"


class ErrorWriter(Protocol):
    """What writes errors in a dialect's form."""

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error reply."""
        ...


def render(
    error: GatewayError, request_id: str, write: ErrorWriter, language: bytes = b""
) -> tuple[int, list[Header], bytes]:
    """Status, headers and body of an error's reply; a vendor's own refusal passes in the caller's dialect.

    What a dialect may say beside `write_error` stands at `dialects.TaskWriter`; `language`: as the caller asks for it.
    """
    translate: Callable[[GatewayError, str], GatewayError] | None = getattr(write, "translate", None)
    if translate is not None:
        error = translate(error, language.decode("latin-1"))
    head: list[Header] = [
        (b"x-request-id", request_id.encode()),
        (b"content-type", getattr(write, "ERROR_TYPE", _JSON)),
        *error.headers,
    ]
    if error.retry_after is not None and not any(name == b"retry-after" for name, _ in error.headers):
        head.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    status_of: Callable[[GatewayError], int] | None = getattr(write, "error_status", None)
    if isinstance(error, UpstreamRefused):
        status = error.upstream_status if status_of is None else status_of(error)
        passed: Callable[[int, bytes], bytes] = getattr(write, "pass_error", openai_errors.pass_error)
        return status, head, passed(error.upstream_status, error.body)
    status = error.status if status_of is None else status_of(error)
    return status, head, write.write_error(error, request_id)
