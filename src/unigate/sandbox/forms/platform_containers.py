"""The operations of containers and their files.

https://platform.openai.com/docs/api-reference/containers
"""

from unigate.sandbox.forms import checks, containers, platform, platform_files
from unigate.sandbox.forms.containers import Container, Inside
from unigate.sandbox.serving.answer import Answer, Whole
from unigate.sandbox.serving.face import Call, Route

_MOST_MINUTES = 20
_CREATED = ("name", "file_ids", "expires_after", "memory_limit", "network_policy")


def routes() -> tuple[Route, ...]:
    """All operations of containers."""
    one, files = "/v1/containers/{id}", "/v1/containers/{id}/files"
    return (
        Route("POST", "/v1/containers", _create),
        Route("GET", "/v1/containers", _list),
        Route("GET", one, _get),
        Route("DELETE", one, _delete),
        Route("POST", files, _add),
        Route("GET", files, _list_files),
        Route("GET", f"{files}/{{file}}", _get_file),
        Route("DELETE", f"{files}/{{file}}", _delete_file),
        Route("GET", f"{files}/{{file}}/content", _content),
    )


async def _create(call: Call) -> Answer:
    """POST /containers."""
    body = platform.body(call, _CREATED)
    name = platform.longest(checks.text(body, "name", "name", required=True), "name", 256)
    ids = checks.listed(checks.given(body, "file_ids", []), "file_ids", "strings", most=containers.MOST)
    uploads = [platform_files.needed(call, str(id), "file_ids") for id in ids]
    network = checks.mapping(checks.given(body, "network_policy", {"type": "disabled"}), "network_policy")
    checks.one_of(network.get("type"), "network_policy.type", ("disabled", "allowlist"))
    made = Container(
        id=platform.hex_id("cntr_", 48),
        name=name,
        minutes=_minutes(body.get("expires_after")),
        memory=checks.one_of(checks.given(body, "memory_limit", "1g"), "memory_limit", containers.MEMORY),
        network=network,
    )
    for upload in uploads:
        containers.put(call, made, upload.filename, platform_files.read(call.world, upload))
    containers.keep(call, made)
    return platform.answer(made.shown())


def _minutes(value: object) -> int:
    if value is None:
        return containers.USUAL_MINUTES
    given = checks.mapping(value, "expires_after")
    checks.one_of(given.get("anchor"), "expires_after.anchor", ("last_active_at",))
    minutes = checks.integer(given, "minutes", 1, _MOST_MINUTES, "expires_after.minutes")
    if minutes is None:
        raise checks.missing("expires_after.minutes")
    return minutes


async def _list(call: Call) -> Answer:
    """GET /containers."""
    wanted = call.query.get("name")
    kept = call.world.cabinet.of(Container, call.credential).all()
    return platform.answer(platform.page(call, [one.shown() for one in kept if wanted in (None, one.name)]))


async def _get(call: Call) -> Answer:
    """GET /containers/{id}."""
    return platform.answer(containers.kept(call, call.params["id"]).shown())


async def _delete(call: Call) -> Answer:
    """DELETE /containers/{id}."""
    one = containers.kept(call, call.params["id"])
    call.world.cabinet.of(Container, call.credential).drop(one.id)
    for file in one.files.all():
        call.world.files.drop(file.kept)
    return platform.answer({"id": one.id, "object": "container.deleted", "deleted": True})


async def _add(call: Call) -> Answer:
    """POST /containers/{id}/files: a form with `file` or `file_id`, or JSON with `file_id`."""
    one = containers.find(call, call.params["id"])
    if not call.headers.get("content-type", "").startswith("multipart/"):
        id = checks.text(platform.body(call, ("file_id",)), "file_id", "file_id", required=True)
        return platform.answer(_copied(call, one, id).shown())
    parts = platform_files.form(call)
    if "file" in parts:
        return platform.answer(containers.put(call, one, parts["file"].filename, parts["file"].data).shown())
    if "file_id" not in parts:
        raise checks.missing("file")
    return platform.answer(_copied(call, one, parts["file_id"].data.decode("utf-8", "replace")).shown())


def _copied(call: Call, one: Container, id: str) -> Inside:
    upload = platform_files.needed(call, platform.begins(id, "file_id", "file"), "file_id")
    return containers.put(call, one, upload.filename, platform_files.read(call.world, upload))


def _file(call: Call) -> tuple[Container, Inside]:
    one, id = containers.find(call, call.params["id"]), call.params["file"]
    return one, platform.found(one.files.get(id), f"File {id[:100]} not found on container {one.id}.")


async def _list_files(call: Call) -> Answer:
    """GET /containers/{id}/files."""
    rows = [file.shown() for file in containers.find(call, call.params["id"]).files.all()]
    return platform.answer(platform.page(call, rows))


async def _get_file(call: Call) -> Answer:
    """GET /containers/{id}/files/{file}."""
    return platform.answer(_file(call)[1].shown())


async def _delete_file(call: Call) -> Answer:
    """DELETE /containers/{id}/files/{file}."""
    one, file = _file(call)
    one.files.drop(file.id)
    call.world.files.drop(file.kept)
    return platform.answer({"id": file.id, "object": "container.file.deleted", "deleted": True})


async def _content(call: Call) -> Answer:
    """GET /containers/{id}/files/{file}/content."""
    return Whole(payload=containers.read(call, _file(call)[1]), media_type="application/octet-stream")
