"""What Luma says with a status: `{"detail": ...}`; and the relays that grew out of its web API, in an envelope.

https://docs.lumalabs.ai
"""

from unigate.sandbox.serving.answer import Event, VendorError, Whole

_WORDS = {
    400: "Bad request",
    401: "Not authenticated",
    402: "Insufficient credits",
    403: "Forbidden",
    404: "Generation not found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    429: "Rate limit exceeded",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}
NOT_ALLOWED = "Prompt not allowed because advanced moderation failed"
MODERATED = "400: Frame moderation failed. Details: could not be generated because of its content"


def failure(status: int, code: str | None = None) -> VendorError:
    """What is said with a status."""
    retry_after = "1" if status in (429, 503) else None
    return VendorError(status, _WORDS.get(status, "Error"), kind="upstream_error", code=code, retry_after=retry_after)


def refused(text: str, status: int = 400) -> VendorError:
    """What is wrong with a call."""
    return VendorError(status, text, code="invalid_request")


def official(error: VendorError) -> Whole:
    """An error of the official API."""
    return Whole(payload={"detail": error.message}, status=error.status)


def relay(error: VendorError) -> Whole:
    """An error of a relay."""
    code = error.code or ("invalid_request" if error.status < 500 else "do_request_failed")
    about = {"message": error.message, "type": error.kind, "code": code}
    return Whole(payload={"code": code, "message": error.message, "data": None, "error": about}, status=error.status)


def in_stream(error: VendorError) -> Event:
    """An error in the middle of a stream; there are none."""
    return Event({"detail": error.message}, "end")


def refuse_key(_credential: str | None) -> VendorError:
    """What is said to a missing or wrong key."""
    return failure(401)


def no_route(_method: str, _path: str) -> VendorError:
    """What is said to an unknown path."""
    return VendorError(404, "Not Found", code="not_found")


def wrong_method(_method: str, _path: str) -> VendorError:
    """What is said to a wrong method of a known path."""
    return failure(405)
