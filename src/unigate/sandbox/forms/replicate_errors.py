"""Replicate's errors: problem documents (RFC 7807), and what it says with each status.

https://replicate.com/docs/reference/http and https://replicate.com/docs/topics/predictions/error-codes
"""

from collections.abc import Sequence

from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole

_TITLES = {
    400: ("Bad request", "The request could not be understood."),
    401: ("Unauthenticated", "You did not pass a valid authentication token"),
    402: (
        "Insufficient credit",
        "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase credit.",
    ),
    403: ("Forbidden", "You do not have permission to perform this action."),
    404: ("", "The requested resource could not be found."),
    405: ("", "Method not allowed."),
    409: ("Conflict", "The resource was changed by another request."),
    413: ("", "Files must be less than 100MB in size"),
    422: ("Input validation failed", "- input: prompt is required\n"),
    429: ("Too many requests", "Request was throttled. Expected available in 1 second."),
    500: ("Internal server error", "An error occurred while processing the request."),
    502: ("Bad gateway", "The upstream could not be reached."),
    503: ("Service unavailable", "The service is temporarily unavailable."),
    504: ("Gateway timeout", "The upstream did not answer in time."),
}
_OTHER = ("Error", "The request could not be served.")
#: What models say that found their output unsafe: the vendors' own, and those whose checker can be turned off.
SENSITIVE = "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"
NSFW = "NSFW content detected. Try running it again, or try a different prompt."

#: What is wrong with a field: kind, path, words.
Finding = tuple[str, str, str]


class Problem(VendorError):
    """A refusal; `findings` become `invalid_fields`."""

    def __init__(
        self, status: int, title: str, detail: str, *, findings: Sequence[Finding] = (), retry_after: str | None = None
    ) -> None:
        super().__init__(status, detail, kind=title, retry_after=retry_after)
        self.findings = tuple(findings)


def failure(status: int, code: str | None = None) -> VendorError:
    """What the vendor says with a status; `code`: its title, where a fault names one."""
    title, detail = _TITLES.get(status, _OTHER)
    return Problem(status, code or title, detail, retry_after="1" if status in (429, 503) else None)


def invalid(findings: Sequence[Finding]) -> Problem:
    """An input that does not fit the model."""
    detail = "".join(f"- {path}: {words}\n" if path else f"- {words}\n" for _, path, words in findings)
    return Problem(422, "Input validation failed", detail, findings=findings)


def no_version() -> Problem:
    """A version that there is not."""
    told = "The specified version does not exist (or perhaps you don't have permission to use it?)"
    return Problem(422, "Invalid version or not permitted", told)


def whole(error: VendorError) -> Whole:
    """An error as the answer to a call."""
    media_type = "application/problem+json"
    return Whole(payload=body(error), status=error.status, media_type=media_type)


def body(error: VendorError) -> Object:
    """An error as a problem document."""
    told: Object = {"title": error.kind} if isinstance(error, Problem) and error.kind else {}
    told |= {"detail": error.message, "status": error.status}
    if isinstance(error, Problem) and error.findings:
        told["invalid_fields"] = [
            {"type": kind, "field": path, "description": words} for kind, path, words in error.findings
        ]
    if error.status == 429:
        told["retry_after"] = 1
    return told


def in_stream(error: VendorError) -> Event:
    """An error in the middle of a stream."""
    return Event({"detail": error.message}, "end", name="error")


def refuse_key(_credential: str | None) -> VendorError:
    """What is said to a missing or wrong token."""
    return failure(401)


def no_route(_method: str, _path: str) -> VendorError:
    """What is said to an unknown path."""
    return failure(404)


def wrong_method(method: str, _path: str) -> VendorError:
    """What is said to a wrong method of a known path."""
    return Problem(405, "", f'Method "{method}" not allowed.')
