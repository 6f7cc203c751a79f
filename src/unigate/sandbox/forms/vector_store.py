"""Vector stores as they are kept: their files, cut into chunks, and what a search finds in them.

https://platform.openai.com/docs/api-reference/vector-stores
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from unigate.base import clock
from unigate.sandbox.brain import chunks, documents, ranking
from unigate.sandbox.forms import platform, platform_files
from unigate.sandbox.forms.platform_files import Upload
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage
from unigate.sandbox.serving.world import World

STATUSES = ("in_progress", "completed", "failed", "cancelled")
#: Seconds, at the usual speed, until a file can be searched.
_TAKES = 0.5
_BEGUN = Stage(name="in_progress")
_DONE = Stage(name="completed", progress=100, ended=True)
_BROKEN = Stage(name="failed", ended=True, error="server_error An internal error occurred.")
_UNREADABLE = Stage(name="failed", ended=True, error="unsupported_file The file type is not supported.")
_CANCELLED = Stage(name="cancelled", ended=True)
_DAY_MS = 24 * 3_600_000
_MOST = 10_000


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """A file in a store."""

    upload: Upload
    store: str
    chunking: Object
    attributes: Object
    job: Job
    text: str
    chunks: tuple[str, ...]
    made_ms: int = field(default_factory=clock.now_ms)

    @property
    def status(self) -> str:
        """How far it is, one of STATUSES."""
        return self.job.stage().name

    @property
    def size(self) -> int:
        """Bytes that it takes, 0 until it can be searched."""
        return sum(len(chunk.encode()) for chunk in self.chunks) if self.status == "completed" else 0

    def cancel(self) -> None:
        """Let it be, if it is not done."""
        if not self.job.stage().ended:
            self.job.end(_CANCELLED)

    def shown(self) -> Object:
        """The file as the vendor tells it."""
        code, _, told = self.job.stage().error.partition(" ")
        return {
            "id": self.upload.id,
            "object": "vector_store.file",
            "usage_bytes": self.size,
            "created_at": self.made_ms // 1000,
            "vector_store_id": self.store,
            "status": self.status,
            "last_error": {"code": code, "message": told} if code else None,
            "chunking_strategy": self.chunking,
            "attributes": self.attributes,
        }


@dataclass(slots=True, kw_only=True, eq=False)
class FileBatch:
    """Files that were added together."""

    id: str
    store: str
    members: Sequence[Member]
    cancelled: bool = False
    made_ms: int = field(default_factory=clock.now_ms)

    def shown(self) -> Object:
        """The batch as the vendor tells it."""
        counts = counted(self.members)
        status = "in_progress" if counts["in_progress"] else "cancelled" if self.cancelled else "completed"
        return {
            "id": self.id,
            "object": "vector_store.files_batch",
            "created_at": self.made_ms // 1000,
            "vector_store_id": self.store,
            "status": status,
            "file_counts": counts,
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Store:
    """One vector store."""

    id: str
    name: str | None
    description: str | None
    metadata: Object
    #: Days without use after which it goes, 0: never.
    days: int
    made_ms: int = field(default_factory=clock.now_ms)
    active_ms: int = field(default_factory=clock.now_ms)
    members: Drawer[Member] = field(default_factory=lambda: Drawer(_MOST))
    batches: Drawer[FileBatch] = field(default_factory=lambda: Drawer(_MOST))

    @property
    def expires_ms(self) -> int:
        """When it goes, 0: never."""
        return self.active_ms + self.days * _DAY_MS if self.days else 0

    @property
    def expired(self) -> bool:
        """Whether it is gone."""
        return bool(self.expires_ms) and self.expires_ms <= clock.now_ms()

    def shown(self, members: Sequence[Member]) -> Object:
        """The store, with these files, as the vendor tells it."""
        counts = counted(members)
        status = "expired" if self.expired else "in_progress" if counts["in_progress"] else "completed"
        return {
            "id": self.id,
            "object": "vector_store",
            "created_at": self.made_ms // 1000,
            "name": self.name,
            "description": self.description,
            "usage_bytes": sum(member.size for member in members),
            "file_counts": counts,
            "status": status,
            "expires_after": {"anchor": "last_active_at", "days": self.days} if self.days else None,
            "expires_at": self.expires_ms // 1000 or None,
            "last_active_at": self.active_ms // 1000,
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A chunk that a search found."""

    member: Member
    text: str
    score: float


def counted(members: Iterable[Member]) -> Object:
    """How many files are how far."""
    counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled", "total"), 0)
    for member in members:
        counts[member.status] += 1
        counts["total"] += 1
    return counts


def add(call: Call, store: Store, upload: Upload, chunking: Object, attributes: Object) -> Member:
    """Put a file into a store, in place of the same file if it is there."""
    text = documents.text(platform_files.read(call.world, upload))
    size = chunking["static"]
    last = _DONE if text.strip() else _UNREADABLE
    member = Member(
        upload=upload,
        store=store.id,
        chunking=chunking,
        attributes=attributes,
        job=platform.begun(call, upload.id, ((0.0, _BEGUN), (_TAKES, last)), _BROKEN),
        text=text,
        chunks=chunks.cut(text, size["max_chunk_size_tokens"], size["chunk_overlap_tokens"]),
    )
    store.members.drop(upload.id)
    store.members.put(upload.id, member)
    store.active_ms = clock.now_ms()
    return member


def members(world: World, credential: str, store: Store) -> list[Member]:
    """The files of a store, the oldest first; those that were deleted leave it."""
    for one in store.members.all():
        if platform_files.find(world, credential, one.upload.id) is None:
            store.members.drop(one.upload.id)
    return store.members.all()


def search(
    queries: Sequence[str], among: Iterable[Member], fits: Callable[[Object], bool], *, most: int, least: float
) -> list[Found]:
    """The chunks that fit any of the queries best, of the files whose attributes fit, with at least that score."""
    found = [
        Found(member=member, text=chunk, score=max(ranking.score(query, chunk) for query in queries))
        for member in among
        if member.status == "completed" and fits(member.attributes)
        for chunk in member.chunks
    ]
    found.sort(key=lambda one: -one.score)
    return [one for one in found[:most] if one.score >= least]
