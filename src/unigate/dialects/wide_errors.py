"""Errors that clients of several vendors read: OpenAI's object, and its message again as `message` and `detail`.

Cohere's clients look for `message` at the top, Jina's and Voyage's for `detail`.
"""

import msgspec

from unigate.base.errors import GatewayError
from unigate.dialects import json_edit, openai_errors
from unigate.dialects.openai_errors import VendorError, read_error

__all__ = ["VendorError", "pass_error", "read_error", "write_error"]


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply."""
    told = openai_errors.error_object(error, request_id)
    return msgspec.json.encode({"error": told, "message": told["message"], "detail": told["message"]})


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal in this form; what else it says in OpenAI's object stays."""
    passed = openai_errors.pass_error(status, body)
    message = msgspec.json.encode(read_error(status, body).message)
    there = {member.key for member in json_edit.members(passed)}
    return passed if "detail" in there else json_edit.edited(passed, {"message": message, "detail": message})
