"""Use cases of files and uploads: `/v1/files`, `/v1/uploads`. Free; each user finds their own only."""

from urllib.parse import unquote

from unigate.base.errors import GatewayError
from unigate.dialects import openai_files, openai_uploads
from unigate.relay.call import Call
from unigate.relay.own_uploads import Ended
from unigate.relay.served import served
from unigate.relay.services import Services
from unigate.relay.task_base import base_of
from unigate.spec.own_file import OwnFile, Upload
from unigate.spec.reply import Reply
from unigate.store.own_files import FileRow
from unigate.store.uploads import UploadRow


async def create(call: Call, svc: Services) -> Reply:
    """`POST /v1/files`. BadRequest, TooLarge, StoreUnavailable."""
    assert call.form is not None
    row = await svc.own_files.create(call.key, openai_files.read_file(call.form))
    return Reply(openai_files.write_file(_shown(call, svc, row)))


async def listed(call: Call, svc: Services) -> Reply:
    """`GET /v1/files`. BadRequest."""
    rows, more = await svc.own_files.page(call.key.user_id, openai_files.read_listing(call.x.query))
    return Reply(openai_files.write_files([_shown(call, svc, row) for row in rows], more=more))


async def one(call: Call, svc: Services) -> Reply:
    """`GET /v1/files/{id}`. NotFound."""
    return Reply(openai_files.write_file(_shown(call, svc, await _file(call, svc))))


async def content(call: Call, svc: Services) -> None:
    """`GET /v1/files/{id}/content`: the bytes, or a range of them. NotFound, RangeNotThere, StoreUnavailable."""
    row = served(await _file(call, svc))
    assert row is not None
    head = ((b"x-request-id", call.id.encode()), *call.marks)
    await svc.files.serve(call.x, row, headers=head, download=True)


async def delete(call: Call, svc: Services) -> Reply:
    """`DELETE /v1/files/{id}`. NotFound."""
    row = await _file(call, svc)
    if not await svc.own_files.delete(row):
        raise openai_files.missing(row.id)
    svc.copies.soon()
    return Reply(openai_files.write_deleted(row.id))


async def upload_create(call: Call, svc: Services) -> Reply:
    """`POST /v1/uploads`. InvalidJson, BadRequest, TooLarge."""
    row = await svc.own_uploads.create(call.key, openai_uploads.read_upload(call.body))
    return Reply(openai_uploads.write_upload(_upload(row)))


async def upload_part(call: Call, svc: Services) -> Reply:
    """`POST /v1/uploads/{id}/parts`. NotFound, BadRequest, TooLarge, StoreUnavailable."""
    row = await _pending(call, svc)
    assert call.form is not None
    try:
        part = await svc.own_uploads.add_part(row, openai_uploads.read_part(call.form))
    except Ended:
        raise await _ended(call, svc) from None
    return Reply(openai_uploads.write_part(part.id, row.id, part.created_at))


async def upload_complete(call: Call, svc: Services) -> Reply:
    """`POST /v1/uploads/{id}/complete`. NotFound, InvalidJson, BadRequest, StoreUnavailable."""
    row = await _pending(call, svc)
    try:
        row, file = await svc.own_uploads.complete(row, openai_uploads.read_completion(call.body))
    except Ended:
        raise await _ended(call, svc) from None
    return Reply(openai_uploads.write_upload(_upload(row, _shown(call, svc, file))))


async def upload_cancel(call: Call, svc: Services) -> Reply:
    """`POST /v1/uploads/{id}/cancel`. NotFound, BadRequest."""
    row = await _pending(call, svc)
    try:
        return Reply(openai_uploads.write_upload(_upload(await svc.own_uploads.cancel(row))))
    except Ended:
        raise await _ended(call, svc) from None


async def _file(call: Call, svc: Services) -> FileRow:
    id = unquote(call.params["id"])
    row = await svc.own_files.find(id, call.key.user_id)
    if row is None:
        raise openai_files.missing(id)
    return row


async def _known(call: Call, svc: Services) -> UploadRow:
    id = unquote(call.params["id"])
    row = await svc.own_uploads.find(id, call.key.user_id)
    if row is None:
        raise openai_uploads.missing(id)
    return row


async def _pending(call: Call, svc: Services) -> UploadRow:
    row = await _known(call, svc)
    if row.state != "pending":
        raise openai_uploads.ended(_upload(row))
    return row


async def _ended(call: Call, svc: Services) -> GatewayError:
    """The error for an upload that ended while it was being changed."""
    return openai_uploads.ended(_upload(await _known(call, svc)))


def _shown(call: Call, svc: Services, row: FileRow) -> OwnFile:
    return svc.own_files.shown(row, base_of(call.x, svc.settings))


def _upload(row: UploadRow, file: OwnFile | None = None) -> Upload:
    return Upload(
        id=row.id,
        purpose=row.purpose,
        filename=row.filename,
        size=row.size,
        state=row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
        file=file,
    )
