"""Everything that can go wrong, and what the caller, the router and the bill do about it.

GatewayError                 status  code                     next route?  billed?
+ CallerError                                                 no           no
  - BadRequest               400     invalid_request
  - InvalidJson              400     invalid_json
  - Unsupported              400     unsupported              yes          no
  - InvalidKey               401     invalid_api_key, key_expired
  - NoFunds                  402     insufficient_quota
  - Forbidden                403     model_not_allowed, address_not_allowed, insufficient_permissions, price_missing
  - NotFound                 404     unknown_url, model_not_found, not_found
  - MethodNotAllowed         405     method_not_allowed
  - Conflict                 409     conflict
  - Gone                     410     gone
  - TooLarge                 413     request_too_large
  - UnsupportedMediaType     415     unsupported_media_type
  - UpgradeRequired          426     upgrade_required
  - TooMany                  429     rate_limit_exceeded (retry_after)
    - QueueFull              429     queue_full
  - CallerTooSlow            408     request_timeout
  - ExpectationFailed        417     expectation_failed
  - HeadTooLarge             431     request_head_too_large
  - CallerLeft               499     (never sent: nobody is there to read it)
+ NotImplementedHere         501     not_implemented          no             no
+ VersionNotSupported        505     http_version_not_supported no           no
+ UpstreamError              carries the vendor's status and body (private)
  - Unreachable              502     upstream_error           yes          no
  - BadAnswer                502     upstream_error           yes          no
  - TookTooLong              504     upstream_timeout         yes          no
  - UpstreamRefused          as told by routing's failure table             no
  - StreamBroken             502     upstream_error           no           what went out
+ NoChannel                  503     no_channel_available     -            no
  - ChannelOff               503     no_channel_available     -            no
+ StoreUnavailable           503     store_unavailable        -            no
+ Draining                   503     server_draining          -            no
+ TooManyConnections         503     too_many_connections     -            no

A class's docstring is its public message; a message given to the constructor replaces it. `detail` is for
the log only. How an error looks on the wire is the dialect's business (`write_error`).
"""

from typing import ClassVar


class GatewayError(Exception):
    """The gateway could not serve this call."""

    status: ClassVar[int] = 500
    #: OpenAI's `type` of an error object.
    kind: ClassVar[str] = "server_error"
    default_code: ClassVar[str] = "internal_error"
    #: Whether the next route may be tried.
    try_next: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        detail: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.code = code or self.default_code
        self.param = param
        #: Seconds after which trying again makes sense; becomes `retry-after`, rounded up.
        self.retry_after = retry_after
        self.detail = detail
        #: Further reply headers, lower-case names.
        self.headers = headers
        super().__init__(self.message)


class CallerError(GatewayError):
    """The call cannot be served as it was made."""

    status = 400
    kind = "invalid_request_error"
    default_code = "invalid_request"


class BadRequest(CallerError):
    """The request is not valid."""


class InvalidJson(CallerError):
    """The request body is not valid JSON."""

    default_code = "invalid_json"


class Unsupported(CallerError):
    """No provider of this model can do what the request asks for."""

    default_code = "unsupported"
    try_next = True


class InvalidKey(CallerError):
    """Incorrect API key provided."""

    status = 401
    default_code = "invalid_api_key"


class NoFunds(CallerError):
    """You exceeded your current quota, please check your balance or your key's budget."""

    status = 402
    kind = "insufficient_quota"
    default_code = "insufficient_quota"


class Forbidden(CallerError):
    """This key may not do that."""

    status = 403
    default_code = "insufficient_permissions"


class NotFound(CallerError):
    """There is nothing here."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(CallerError):
    """This method is not allowed here."""

    status = 405
    default_code = "method_not_allowed"


class Conflict(CallerError):
    """The request conflicts with what exists."""

    status = 409
    default_code = "conflict"


class Gone(CallerError):
    """What was here has ended."""

    status = 410
    default_code = "gone"


class TooLarge(CallerError):
    """The request is too large."""

    status = 413
    default_code = "request_too_large"


class UnsupportedMediaType(CallerError):
    """The content type of the request is not supported here."""

    status = 415
    default_code = "unsupported_media_type"


class UpgradeRequired(CallerError):
    """This address speaks WebSocket only: connect with a WebSocket client."""

    status = 426
    default_code = "upgrade_required"


class TooMany(CallerError):
    """Rate limit reached."""

    status = 429
    kind = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class QueueFull(TooMany):
    """The queue is full, please try again later."""

    default_code = "queue_full"

    def __init__(self, *, task_id: str = "", retry_after: float | None = None) -> None:
        super().__init__(retry_after=retry_after)
        #: The task that ended by this, where its caller may ask after it; "": there is none.
        self.task_id = task_id
        #: Its id as the caller's dialect writes it.
        self.shown_id: object = task_id


class CallerTooSlow(CallerError):
    """The request did not arrive in time."""

    status = 408
    default_code = "request_timeout"


class ExpectationFailed(CallerError):
    """The expectation of the request cannot be met."""

    status = 417
    default_code = "expectation_failed"


class HeadTooLarge(CallerError):
    """The head of the request is too large."""

    status = 431
    default_code = "request_head_too_large"


class CallerLeft(CallerError):
    """The caller left before the request was complete."""

    status = 499
    default_code = "caller_left"


class NotImplementedHere(GatewayError):
    """The request uses something that is not supported here."""

    status = 501
    kind = "invalid_request_error"
    default_code = "not_implemented"


class VersionNotSupported(GatewayError):
    """This version of HTTP is not supported here."""

    status = 505
    kind = "invalid_request_error"
    default_code = "http_version_not_supported"


class UpstreamError(GatewayError):
    """The provider failed."""

    status = 502
    default_code = "upstream_error"
    try_next = True
    #: Whether any byte of the request may have reached the provider.
    sent: bool = True


class Unreachable(UpstreamError):
    """The provider could not be reached."""


class BadAnswer(UpstreamError):
    """The provider sent an answer that could not be read."""


class TookTooLong(UpstreamError):
    """The provider did not answer in time."""

    status = 504
    default_code = "upstream_timeout"


class UpstreamRefused(UpstreamError):
    """The provider refused the call.

    `upstream_status` and `body` are what the vendor said; routing's failure table decides what follows. `aside`: it was no
    call of a model, but one about files or other things that are kept, so that it says nothing of how such calls would go.
    """

    def __init__(
        self,
        upstream_status: int,
        body: bytes = b"",
        *,
        content_type: bytes = b"",
        retry_after: float | None = None,
        aside: bool = False,
    ) -> None:
        super().__init__("The provider refused the call.", retry_after=retry_after)
        self.upstream_status = upstream_status
        self.body = body
        self.content_type = content_type
        self.aside = aside


class StreamBroken(UpstreamError):
    """The provider's answer broke off."""

    try_next = False


class NoChannel(GatewayError):
    """No channel is available for this call at the moment."""

    status = 503
    default_code = "no_channel_available"


class ChannelOff(NoChannel):
    """The channel that has what this call goes on from is switched off."""


class StoreUnavailable(GatewayError):
    """The gateway's store is not available at the moment."""

    status = 503
    default_code = "store_unavailable"


class Draining(GatewayError):
    """The gateway is shutting down."""

    status = 503
    default_code = "server_draining"


class TooManyConnections(GatewayError):
    """The gateway has too many connections at the moment."""

    status = 503
    default_code = "too_many_connections"
