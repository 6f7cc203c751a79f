"""Errors of the management API: OpenAI's shape, with the fields that are wrong by name."""

import math
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from unigate.base.errors import BadRequest, CallerLeft, GatewayError, MethodNotAllowed
from unigate.dialects.openai_errors import error_object
from unigate.http.api.who import request_id_of
from unigate.http.table import unknown

_OURS = "Value error, "


class FieldError(BaseModel):
    """One field that is wrong."""

    name: str
    message: str


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str
    fields: list[FieldError] | None = None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class BadFields(BadRequest):
    """Some fields of the request are not valid."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        name, said = fields[0]
        super().__init__(f"{name}: {said}" if name else said, param=name or None)
        self.fields = [{"name": name, "message": said} for name, said in fields]


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in this app in our form."""
    for kind in (GatewayError, RequestValidationError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _answer)


def stamped(request: Request, response: Response) -> Response:
    """The reply with what every reply of this API carries."""
    response.headers["x-request-id"] = request_id_of(request)
    response.headers["cache-control"] = "no-store"
    return response


def reply(request: Request, error: GatewayError) -> Response:
    """An error's reply."""
    told: dict[str, Any] = error_object(error, request_id_of(request))
    if isinstance(error, BadFields):
        told["fields"] = error.fields
    elif isinstance(error, BadRequest) and error.param is not None:
        told["fields"] = [{"name": error.param, "message": error.message}]
    response = JSONResponse({"error": told}, status_code=error.status)
    for name, value in error.headers:
        response.headers[name.decode()] = value.decode()
    if error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return stamped(request, response)


async def _answer(request: Request, error: Exception) -> Response:
    return reply(request, _translated(request, error))


def _translated(request: Request, error: Exception) -> GatewayError:
    """What went wrong, as an error of ours. Of what is a bug the gateway logs the trace."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, RequestValidationError):
        return BadFields([(_name(told["loc"]), told["msg"].removeprefix(_OURS)) for told in error.errors()])
    if isinstance(error, HTTPException):
        return _not_here(request, error)
    if isinstance(error, ClientDisconnect):
        return CallerLeft()
    return GatewayError("The gateway failed to serve this request.")


def _not_here(request: Request, error: HTTPException) -> GatewayError:
    """Nothing is at this path, or not for this method."""
    methods = _methods(request)
    path = request.scope["raw_path"]
    if error.status_code != MethodNotAllowed.status or not methods:
        return unknown(request.method.encode(), path)
    allowed = ", ".join(sorted(methods)).encode()
    return MethodNotAllowed(
        f"Not allowed to {request.method} on {path.decode('ascii', 'replace')}.", headers=((b"allow", allowed),)
    )


def _methods(request: Request) -> set[str]:
    """All methods served at the request's path: those of the first route that has it, as written in the table."""
    fitting = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in fitting if route.path == fitting[0].path for method in route.methods or ()}


def _name(loc: Iterable[int | str]) -> str:
    """`("body", "limits", "rpm")` as `limits.rpm`."""
    return ".".join(str(step) for step in tuple(loc)[1:])
