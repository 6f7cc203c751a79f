"""Errors in Cohere's form: `{"message"}`, with the call's id where there is one. Ours have a `code` beside it.

https://docs.cohere.com/reference/errors
"""

import msgspec

from unigate.base.errors import GatewayError
from unigate.dialects.openai_errors import VendorError, error_object, read_error

__all__ = ["VendorError", "pass_error", "read_error", "write_error"]


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply."""
    told = error_object(error, request_id)
    shown = {"message": told["message"], "code": told["code"]}
    return msgspec.json.encode({"id": request_id, **shown} if request_id else shown)


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal as callers of this form read it: untouched where it has the form, else rewritten."""
    try:
        own = isinstance(msgspec.json.decode(body, type=dict[str, object]).get("message"), str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        own = False
    return body if own else msgspec.json.encode({"message": read_error(status, body).message})
