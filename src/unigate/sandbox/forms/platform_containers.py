"""Containers and their files: what callers put in is kept until the container was not used for so long. No code is run.

https://platform.openai.com/docs/api-reference/containers
"""

from dataclasses import dataclass, field

from unigate.base import clock
from unigate.sandbox.forms import checks, platform, platform_files
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call, Route

_USUAL_MINUTES, _MOST_MINUTES = 20, 20
_MOST = 1_000
_MEMORY = ("1g", "4g", "16g", "64g")
_CREATED = ("name", "file_ids", "expires_after", "memory_limit", "network_policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A file in a container; its bytes are among those of the sandbox."""

    id: str
    container: str
    name: str
    size: int
    #: Its id among the files of the sandbox.
    kept: str
    made_ms: int = field(default_factory=clock.now_ms)

    def shown(self) -> Object:
        """The file as the vendor tells it."""
        return {
            "id": self.id,
            "object": "container.file",
            "created_at": self.made_ms // 1000,
            "bytes": self.size,
            "container_id": self.container,
            "path": f"/mnt/data/{self.name}",
            "source": "user",
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Container:
    """One container."""

    id: str
    name: str
    minutes: int
    memory: str
    network: Object
    made_ms: int = field(default_factory=clock.now_ms)
    active_ms: int = field(default_factory=clock.now_ms)
    files: Drawer[Inside] = field(default_factory=lambda: Drawer(_MOST))

    @property
    def expired(self) -> bool:
        """Whether it was not used for too long."""
        return clock.now_ms() - self.active_ms >= self.minutes * 60_000

    def shown(self) -> Object:
        """The container as the vendor tells it."""
        return {
            "id": self.id,
            "object": "container",
            "created_at": self.made_ms // 1000,
            "status": "expired" if self.expired else "running",
            "expires_after": {"anchor": "last_active_at", "minutes": self.minutes},
            "last_active_at": self.active_ms // 1000,
            "name": self.name,
            "memory_limit": self.memory,
            "network_policy": self.network,
        }


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


def find(call: Call, id: str, param: str = "container_id") -> Container:
    """The container of that id, for use; the vendor's refusal where there is none, or it is expired."""
    kept = _kept(call, id, param)
    if kept.expired:
        raise checks.refuse("Container is expired.", None)
    kept.active_ms = clock.now_ms()
    return kept


def _kept(call: Call, id: str, param: str = "container_id") -> Container:
    kept = call.world.cabinet.of(Container, call.credential).get(platform.begins(id, param, "cntr"))
    return platform.found(kept, f"Container with id '{id[:100]}' not found.")


def put(call: Call, container: Container, name: str, data: bytes) -> Inside:
    """Put a file into a container."""
    made = Inside(
        id=platform.hex_id("cfile_", 48),
        container=container.id,
        name=name.replace("\\", "/").rpartition("/")[2] or "file",
        size=len(data),
        kept=call.world.files.put(data, "bin").id,
    )
    container.files.put(made.id, made)
    return made


def read(call: Call, file: Inside) -> bytes:
    """The bytes of a file."""
    kept = call.world.files.get(file.kept)
    return b"" if kept is None else kept.data


async def _create(call: Call) -> Answer:
    """POST /containers."""
    body = platform.body(call, _CREATED)
    name = platform.longest(checks.text(body, "name", "name", required=True), "name", 256)
    ids = checks.listed(checks.given(body, "file_ids", []), "file_ids", "strings", most=_MOST)
    uploads = [platform_files.needed(call, str(id), "file_ids") for id in ids]
    network = checks.mapping(checks.given(body, "network_policy", {"type": "disabled"}), "network_policy")
    checks.one_of(network.get("type"), "network_policy.type", ("disabled", "allowlist"))
    made = Container(
        id=platform.hex_id("cntr_", 48),
        name=name,
        minutes=_minutes(body.get("expires_after")),
        memory=checks.one_of(checks.given(body, "memory_limit", "1g"), "memory_limit", _MEMORY),
        network=network,
    )
    for upload in uploads:
        put(call, made, upload.filename, platform_files.read(call.world, upload))
    call.world.cabinet.of(Container, call.credential).put(made.id, made)
    return platform.answer(made.shown())


def _minutes(value: object) -> int:
    if value is None:
        return _USUAL_MINUTES
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
    return platform.answer(_kept(call, call.params["id"]).shown())


async def _delete(call: Call) -> Answer:
    """DELETE /containers/{id}."""
    one = _kept(call, call.params["id"])
    call.world.cabinet.of(Container, call.credential).drop(one.id)
    for file in one.files.all():
        call.world.files.drop(file.kept)
    return platform.answer({"id": one.id, "object": "container.deleted", "deleted": True})


async def _add(call: Call) -> Answer:
    """POST /containers/{id}/files: a form with `file` or `file_id`, or JSON with `file_id`."""
    one = find(call, call.params["id"])
    if not call.headers.get("content-type", "").startswith("multipart/"):
        id = checks.text(platform.body(call, ("file_id",)), "file_id", "file_id", required=True)
        return platform.answer(_copied(call, one, id).shown())
    parts = platform_files.form(call)
    if "file" in parts:
        return platform.answer(put(call, one, parts["file"].filename, parts["file"].data).shown())
    if "file_id" not in parts:
        raise checks.missing("file")
    return platform.answer(_copied(call, one, parts["file_id"].data.decode("utf-8", "replace")).shown())


def _copied(call: Call, one: Container, id: str) -> Inside:
    upload = platform_files.needed(call, platform.begins(id, "file_id", "file"), "file_id")
    return put(call, one, upload.filename, platform_files.read(call.world, upload))


def _file(call: Call) -> tuple[Container, Inside]:
    one, id = find(call, call.params["id"]), call.params["file"]
    return one, platform.found(one.files.get(id), f"File {id[:100]} not found on container {one.id}.")


async def _list_files(call: Call) -> Answer:
    """GET /containers/{id}/files."""
    rows = [file.shown() for file in find(call, call.params["id"]).files.all()]
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
    return Whole(payload=read(call, _file(call)[1]), media_type="application/octet-stream")
