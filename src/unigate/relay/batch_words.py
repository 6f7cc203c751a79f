"""What callers hear of a provider's errors about their batches: what it says of their requests, and nothing of the operator's account."""

from collections.abc import Sequence
from typing import Any

import msgspec

from unigate.base.errors import UpstreamError
from unigate.dialects import openai_errors
from unigate.dialects.openai_batch_lines import Answered
from unigate.spec.provider import Provider

#: Statuses that are about the request itself.
_ABOUT_IT = (400, 404, 422)
_UNRUN = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed, since the batch was cancelled.",
}
_FAILED = {"code": "provider_failed", "message": "The provider failed to run this batch.", "param": None, "line": None}
_encode = msgspec.json.Encoder().encode


def refusal(provider: Provider, answered: Answered, id: str) -> tuple[int, bytes]:
    """Status and body for a line that a provider refused."""
    status, told = provider.adjust_error(answered.status, answered.body)
    if status in _ABOUT_IT:
        return status, openai_errors.pass_error(status, told)
    failed = UpstreamError()
    return failed.status, openai_errors.write_error(failed, id)


def unrun(code: str) -> tuple[str, str]:
    """Code and message for a line that a provider did not call."""
    told = _UNRUN.get(code)
    return (code, told) if told is not None else ("provider_error", "The provider did not serve this request.")


def errors(told: Sequence[dict[str, Any]], sent: Sequence[int]) -> str:
    """The errors of a batch that a provider failed; `sent`: the caller's numbers of the lines in the order in which it got them."""
    shown = []
    for error in told:
        at = error.get("line")
        if type(at) is int and 1 <= at <= len(sent):
            words = {name: _text(error.get(name)) for name in ("code", "message", "param")}
            shown.append({**words, "line": sent[at - 1]})
    return _encode(shown or [_FAILED]).decode()


def _text(value: object) -> str | None:
    return value[:1000] if isinstance(value, str) else None
