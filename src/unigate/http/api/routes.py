"""Routes of the management API. Each is declared with the role that it needs, and recorded in one table.

The role is checked before anything else of the request is read, by the class of all routes: a handler can't forget it.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from unigate.base.errors import NotFound
from unigate.http.api.errors import ErrorBody, stamped
from unigate.http.api.reading import check_query, read_object
from unigate.http.api.who import SAFE, Role, check_origin, check_role, identify

H = TypeVar("H", bound=Callable[..., Awaitable[Any]])
PREFIX = "/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the table: where, who may, and what the audit log says of it."""

    method: str
    #: With the prefix, as it is matched: `/api/groups/{group}`.
    path: str
    #: The least role; None: open to everybody.
    role: Role | None
    #: `kind.action` of the row that the audit log gets; None: nothing changes.
    audit: str | None


#: All routes, once `app.py` has been imported.
ROUTES: list[Rule] = []
_RULES: dict[Callable[..., Any], Rule] = {}


class Guarded(APIRoute):
    """A route that knows who asks before it reads what they ask."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with everything that holds for all routes around it."""
        serve = super().get_route_handler()
        rule = _RULES[self.endpoint]
        known = frozenset(_parameters(self.dependant))
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            if rule.role is not None:
                who = await identify(request)
                check_role(who, rule.role)
                request.state.who = who
            else:
                check_origin(request, needed=False)
            check_query(request, known)
            if any("\0" in value for value in request.path_params.values()):
                raise NotFound
            if takes_body:
                request = await read_object(request)
            return stamped(request, await serve(request))

        return guarded


def api_router(noun: str) -> APIRouter:
    """The router of one noun's module."""
    return APIRouter(prefix=PREFIX, tags=[noun], route_class=Guarded)


def route(
    router: APIRouter, method: str, path: str, *, role: Role | None, audit: str | None = None, status: int = 200
) -> Callable[[H], H]:
    """Declare a handler: `@route(router, "GET", "/groups", role="operator")`; the rest stands in its annotations.

    A route that changes something names its row of the audit log, as `group.create`.
    """
    if (audit is None) is (method not in SAFE):
        raise ValueError(f"{method} {path}: a route names its row of the audit log exactly if it changes something")

    def declare(handler: H) -> H:
        rule = Rule(method=method, path=PREFIX + path, role=role, audit=audit)
        _RULES[handler] = rule
        ROUTES.append(rule)
        router.add_api_route(
            path,
            handler,
            methods=[method],
            status_code=status,
            operation_id=handler.__name__,
            summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
            responses=_errors(rule) | _sent_as(handler),
            openapi_extra=_extra(rule),
        )
        return handler

    return declare


def _sent_as(handler: Callable[..., Any]) -> dict[int | str, dict[str, Any]]:
    """What is to be said of the replies of a handler that makes them itself, and not of JSON."""
    made = signature(handler).return_annotation
    media_type = getattr(made, "media_type", None)
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}} if media_type is not None else {}


def _parameters(dependant: Dependant) -> Iterator[str]:
    """Names of the query's parameters; those of a model are its fields."""
    for field in dependant.query_params:
        yield from getattr(field.field_info.annotation, "model_fields", (field.alias,))
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _errors(rule: Rule) -> dict[int | str, dict[str, Any]]:
    statuses: dict[int | str, str] = {400: "Something of the request is not valid."}
    if rule.role is not None:
        statuses |= {401: "Nobody is signed in.", 403: "The role or the key's scope is not enough."}
    if "{" in rule.path:
        statuses[404] = "There is no such thing, or none that the caller may see."
    if rule.method not in SAFE:
        statuses |= {409: "It conflicts with what exists.", 413: "The body is too large."}
        statuses[415] = "The body is not JSON."
    statuses["default"] = "It could not be served."
    return {status: {"model": ErrorBody, "description": said} for status, said in statuses.items()}


def _extra(rule: Rule) -> dict[str, Any]:
    """What FastAPI does not know: who may."""
    if rule.role is None:
        return {"security": []}
    return {"security": [{"session": []}, {"key": []}, {"cookie": []}], "x-unigate-role": rule.role}
