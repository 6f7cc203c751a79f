"""OpenAI's error object, and what it says with each status. Other vendors of the same dialect start from here.

https://platform.openai.com/docs/guides/error-codes
"""

from dataclasses import dataclass
from http import HTTPStatus

from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole


@dataclass(frozen=True, slots=True)
class Said:
    """What a vendor says with a status."""

    kind: str
    code: str | None
    message: str
    retry_after: str | None = None


#: What is said with a status, for faults.
FAILURES: dict[int, Said] = {
    400: Said("invalid_request_error", "invalid_value", "Invalid value for one of the parameters of the request."),
    401: Said("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: Said(
        "billing_error", "billing_hard_limit_reached", "The billing hard limit of this account has been reached."
    ),
    403: Said(
        "request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported"
    ),
    404: Said("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    408: Said("timeout_error", "request_timeout", "The request timed out."),
    409: Said("conflict_error", "conflict", "The resource was changed by another request."),
    413: Said("invalid_request_error", "request_too_large", "The request is larger than the maximum size."),
    422: Said("invalid_request_error", "unprocessable_entity", "The request is well-formed but cannot be processed."),
    429: Said(
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 1s.",
        "1",
    ),
    500: Said("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    502: Said("server_error", None, "Bad gateway."),
    503: Said("service_unavailable", None, "The engine is currently overloaded, please try again later.", "1"),
    504: Said("server_error", None, "Gateway timeout."),
    529: Said("overloaded_error", None, "The service is overloaded at the moment."),
}
#: What is said with a code that a fault names (`429:insufficient_quota`).
CODES: dict[str, Said] = {
    "insufficient_quota": Said(
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing.",
    ),
    "context_length_exceeded": Said(
        "invalid_request_error", "context_length_exceeded", "The messages are longer than this model's context length."
    ),
    "content_policy_violation": Said(
        "invalid_request_error", "content_policy_violation", "The request was rejected by the safety system."
    ),
    "account_deactivated": Said(
        "invalid_request_error", "account_deactivated", "The account of this API key has been deactivated."
    ),
}


_OTHER = Said("api_error", None, "The request could not be served.")
_LIMITS = (
    ("x-ratelimit-limit-requests", "500"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-ratelimit-reset-requests", "1s"),
    ("x-ratelimit-limit-tokens", "200000"),
    ("x-ratelimit-remaining-tokens", "199000"),
    ("x-ratelimit-reset-tokens", "300ms"),
)


def failure(status: int, code: str | None) -> VendorError:
    """What the vendor says with a status, or with one of its codes."""
    said = CODES.get(code or "") or FAILURES.get(status) or _OTHER
    headers = limits(status)
    return VendorError(
        status, said.message, kind=said.kind, code=code or said.code, retry_after=said.retry_after, headers=headers
    )


def limits(status: int) -> tuple[tuple[str, str], ...]:
    """The rate-limit headers of a refusal."""
    return _LIMITS if status == HTTPStatus.TOO_MANY_REQUESTS else ()


def fields(error: VendorError) -> Object:
    """The fields of the error object."""
    return {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}


def body(error: VendorError) -> Object:
    """The error object as a body."""
    return {"error": fields(error)}


def whole(error: VendorError) -> Whole:
    """An error as the answer to a call."""
    return Whole(payload=body(error), status=error.status, indent=4)


def in_stream(error: VendorError) -> Event:
    """An error in the middle of a stream."""
    return Event(body(error), "end")


def refuse_key(credential: str | None) -> VendorError:
    """What is said to a missing or wrong key."""
    if credential is None:
        return VendorError(
            401, "You didn't provide an API key. You need to provide your API key in an Authorization header."
        )
    shown = f"{credential[:3]}***{credential[-4:]}"
    return VendorError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def wrong_method(method: str, path: str) -> VendorError:
    """What is said to a wrong method of a known path."""
    return VendorError(405, f"Not allowed to {method} on {path}.", code="method_not_supported")


def no_route(method: str, path: str) -> VendorError:
    """What is said to an unknown path."""
    return VendorError(404, f"Invalid URL ({method} {path})")


def no_model(name: str) -> VendorError:
    """What is said to an unknown model."""
    return VendorError(
        404, f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found"
    )
