"""Files for Replicate's predictions: they lie at a channel's account, and belong here to the user who sent them.

An upload goes to one channel of the user's group and is bound to it; predictions that name the file go there too (see
`task_pins`). What is another user's is as unknown as what never was. Free, as the vendor's.
"""

from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec

from unigate.base.clock import monotonic, now_ms
from unigate.base.cursor import decode, encode
from unigate.base.errors import (
    BadAnswer,
    BadRequest,
    Forbidden,
    GatewayError,
    NoChannel,
    UnsupportedMediaType,
    UpstreamError,
    UpstreamRefused,
)
from unigate.dialects import operations
from unigate.dialects.replicate_errors import missing
from unigate.dialects.replicate_models import MODELS
from unigate.dialects.replicate_read import FILE
from unigate.dialects.replicate_shown import write_files
from unigate.relay.attempts import ERROR_LIMIT
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_uses import submission, view
from unigate.routing.choice import Candidate
from unigate.routing.failures import final, read_retry_after
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.store.pages import Page

#: Files of one page; each is asked for at the vendor.
PAGE = 20
_PATH = "/replicate/v1/files"
_DOWNLOAD = "/download"
_JSON_TYPE = (b"content-type", b"application/json")


async def upload(call: Call, svc: Services) -> Reply:
    """`POST /files`: the vendor's answer with our address. UnsupportedMediaType, NoChannel, UpstreamRefused."""
    kind = call.x.header(b"content-type") or b""
    if not kind.lower().startswith(b"multipart/form-data"):
        raise UnsupportedMediaType("A file is sent as multipart/form-data, with a part named content.")
    if b"boundary=" not in kind.lower():
        raise BadRequest("The content type names no boundary.")
    candidate = _place(call, svc)
    status, _, body = await _ask(svc, candidate, call.operation, content=call.body, content_type=kind)
    file = _file(body)
    address = file.get("urls", {}).get("get") if isinstance(file.get("urls"), dict) else None
    if not isinstance(address, str):
        raise BadAnswer(detail="an uploaded file without an address")
    await svc.bindings.keep(call, candidate, address, public_id=file["id"])
    return Reply(_shown(call, svc, file), status)


async def one(call: Call, svc: Services) -> Reply:
    """`GET` and `DELETE /files/{id}`, and its download. NotFound, NoChannel, UpstreamRefused."""
    id = unquote(call.params["id"])
    binding = await svc.bindings.of(FILE, id, call.key.user_id) if "\0" not in id else None
    if binding is None:
        raise missing(id)
    gone = call.operation.method == "DELETE"
    try:
        candidate = svc.router.bound(binding)
        query = submission(call, svc).query if call.operation.path.endswith(_DOWNLOAD) else ""
        status, kind, body = await _ask(svc, candidate, call.operation, id=id, query=query)
    except UpstreamRefused as refusal:
        if refusal.upstream_status == 404:
            await svc.bindings.remove(binding)
        raise
    if gone:
        await svc.bindings.remove(binding)
        return Reply(b"", status, ())
    if call.operation.path.endswith(_DOWNLOAD):
        return Reply(body, status, ((b"content-type", kind or b"application/octet-stream"),))
    return Reply(_shown(call, svc, _file(body)), status)


async def listed(call: Call, svc: Services) -> Reply:
    """`GET /files`: the user's, newest first; those that the vendor has forgotten are left out."""
    cursor = _cursor(submission(call, svc).query)
    page = Page(limit=PAGE, after=decode(cursor) if cursor else None)
    found = await svc.bindings.page(FILE, call.key.user_id, page)
    row = next(each for each in operations() if each.name == "replicate.files.get")
    files = []
    for binding in found.rows:
        try:
            _, _, body = await _ask(svc, svc.router.bound(binding), row, id=binding.public_id)
        except UpstreamRefused as refusal:
            if refusal.upstream_status != 404:
                raise
            await svc.bindings.remove(binding)
        else:
            files.append(_ours(call, svc, _file(body)))
    following = encode(found.next)
    return Reply(write_files(files, f"{view(call, svc).base}{_PATH}?cursor={following}" if following else None))


def _place(call: Call, svc: Services) -> Candidate:
    """Where a file goes: to the channel that serves the most of the models that the key may use. NoChannel."""
    row = next(each for each in operations() if each.name == "replicate.predictions.create")
    group = call.key.group.name
    served = svc.router.models(group, MODELS)
    counted: Counter[str] = Counter()
    found: dict[str, Candidate] = {}
    for name in served:
        if svc.keys.allows_model(call.key, name):
            try:
                candidates = svc.router.routes(name, group, row)
            except GatewayError:
                continue  # of another provider, or not to be reached at the moment
            for candidate in candidates:
                counted[candidate.route.channel.id] += 1
                found.setdefault(candidate.route.channel.id, candidate)
    if not counted:
        raise NoChannel
    return found[counted.most_common(1)[0][0]]


async def _ask(
    svc: Services,
    candidate: Candidate,
    operation: Operation,
    *,
    id: str = "",
    query: str = "",
    content: bytes = b"",
    content_type: bytes = b"",
) -> tuple[int, bytes, bytes]:
    """What the vendor answers: status, content type, body."""
    if not candidate.take():
        raise NoChannel(retry_after=1.0)
    try:
        return await _asked(svc, candidate, operation, (id, query), (content, content_type))
    except UpstreamError as failure:
        verdict = svc.router.failed(candidate, failure)
        if verdict.passes_through:
            raise
        raise final([failure]) from failure
    finally:
        candidate.done()


async def _asked(
    svc: Services, candidate: Candidate, operation: Operation, about: tuple[str, str], body: tuple[bytes, bytes]
) -> tuple[int, bytes, bytes]:
    endpoint, request = svc.upstreams.about(candidate, operation, *about)
    if body[1]:
        request = replace(request, headers=(*request.headers, (b"content-type", body[1])))
    began = monotonic()
    timeouts = candidate.route.channel.timeouts
    repeats = operation.method == "GET"
    answer = await svc.upstreams.client.send(endpoint, request, body[0], timeouts, may_repeat=repeats)
    try:
        if answer.status in {401, 403} and operation.path.endswith(_DOWNLOAD):
            # It says so of the caller's signature: our credential is not to be parked for it.
            raise Forbidden("The signature of this download is not valid.")
        if not 200 <= answer.status < 300:
            raise UpstreamRefused(
                answer.status,
                await answer.read(ERROR_LIMIT),
                retry_after=read_retry_after(answer.header(b"retry-after"), None, now_ms()),
            )
        read = await answer.read(operation.body_bytes or svc.settings.relay.answer_bytes)
    except BaseException:
        answer.abort()
        raise
    svc.router.worked(candidate, monotonic() - began)
    return answer.status, answer.header(b"content-type") or b"", read


def _file(body: bytes) -> dict[str, Any]:
    try:
        file = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(detail=f"no file: {error}") from None
    if not isinstance(file.get("id"), str) or not file["id"]:
        raise BadAnswer(detail="a file without an id")
    return file


def _ours(call: Call, svc: Services, file: dict[str, Any]) -> dict[str, Any]:
    return file | {"urls": {"get": f"{view(call, svc).base}{_PATH}/{file['id']}"}}


def _shown(call: Call, svc: Services, file: dict[str, Any]) -> bytes:
    return msgspec.json.encode(_ours(call, svc, file))


def _cursor(query: str) -> str:
    return next((part.removeprefix("cursor=") for part in query.split("&") if part.startswith("cursor=")), "")
