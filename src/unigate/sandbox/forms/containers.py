"""Containers as they are kept, with their files, until they were not used for so long. No code is run in them.

https://platform.openai.com/docs/api-reference/containers/object
"""

from dataclasses import dataclass, field

from unigate.base import clock
from unigate.sandbox.forms import checks, platform
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call

USUAL_MINUTES = 20
MEMORY = ("1g", "4g", "16g", "64g")
#: Files of one container.
MOST = 1_000


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
    files: Drawer[Inside] = field(default_factory=lambda: Drawer(MOST))

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


def find(call: Call, id: str, param: str = "container_id") -> Container:
    """The container of that id, for use; the vendor's refusal where there is none, or it is expired."""
    found = kept(call, id, param)
    if found.expired:
        raise checks.refuse("Container is expired.", None)
    found.active_ms = clock.now_ms()
    return found


def running(call: Call, id: str) -> Container | None:
    """The container of that id, for use; None where there is none, or it is expired."""
    found = call.world.cabinet.of(Container, call.credential).get(id)
    if found is None or found.expired:
        return None
    found.active_ms = clock.now_ms()
    return found


def new(name: str) -> Container:
    """A container as the vendor makes one for a response; `keep` it for it to be there."""
    return Container(
        id=platform.hex_id("cntr_", 48),
        name=name,
        minutes=USUAL_MINUTES,
        memory=MEMORY[0],
        network={"type": "disabled"},
    )


def keep(call: Call, container: Container) -> None:
    """Let a container be there."""
    call.world.cabinet.of(Container, call.credential).put(container.id, container)


def kept(call: Call, id: str, param: str = "container_id") -> Container:
    """The container of that id, expired or not; the vendor's 404 where there is none."""
    found = call.world.cabinet.of(Container, call.credential).get(platform.begins(id, param, "cntr"))
    return platform.found(found, f"Container with id '{id[:100]}' not found.")


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
    data = call.world.files.get(file.kept)
    return b"" if data is None else data.data
