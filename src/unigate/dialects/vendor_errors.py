"""What errors of a vendor mean where their status says something else than OpenAI's. Pure, and knows no vendor.

The failure table goes by the status: 400 is the caller's own mistake and passes through, 401, 402 and 403 are our
credential's, 429 is the rate. A vendor that says it differently would have a caller see the operator's trouble, or have
the operator's credential parked for what a caller wrote.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec

from unigate.dialects import json_edit
from unigate.dialects.openai_errors import VendorError, read_error

AdjustError = Callable[[int, bytes], tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Errors of one status with one of these codes or types, or a message that says so, and the status they mean."""

    status: int
    means: int
    codes: Collection[str] = field(default_factory=frozenset)
    #: A part of the message, in any case of letters; "": any message.
    says: str = ""
    #: Put in place of the vendor's words, where those name the operator's account.
    message: str = ""


def meanings(*rows: Meaning, private: Collection[str] = ()) -> AdjustError:
    """An `adjust_error`: the first row that fits gives the status; `private` members at the top are left out."""

    def adjust(status: int, body: bytes) -> tuple[int, bytes]:
        told = read_error(status, body)
        for row in rows:
            if row.status == status and _fits(row, told):
                return row.means, _said(row) if row.message else _without(body, private)
        return status, _without(body, private)

    return adjust


def _fits(row: Meaning, told: VendorError) -> bool:
    if row.codes and told.code not in row.codes and told.type not in row.codes:
        return False
    return row.says.lower() in told.message.lower()


def _said(row: Meaning) -> bytes:
    error = {"message": row.message, "type": "invalid_request_error", "param": None, "code": None}
    return msgspec.json.encode({"error": error})


def _without(body: bytes, private: Collection[str]) -> bytes:
    if not any(name.encode() in body for name in private):
        return body
    try:
        return json_edit.edited(body, {}, private)
    except ValueError:
        return body
