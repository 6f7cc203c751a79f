"""Files that jobs made or callers handed in, in memory: the oldest go where they take too much room. It knows no HTTP."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

#: Extension -> media type.
KINDS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "bin": "application/octet-stream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file."""

    id: str
    #: Its extension, a key of KINDS.
    kind: str
    data: bytes

    @property
    def name(self) -> str:
        """Its name below `/sandbox/files/`."""
        return f"{self.id}.{self.kind}"

    @property
    def media_type(self) -> str:
        """Its content type."""
        return KINDS[self.kind]


class Files:
    """All files of a sandbox, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0

    def put(self, data: bytes, kind: str) -> File:
        """Keep a file, of a kind out of KINDS; one that is larger than all room there is, is gone at once."""
        if kind not in KINDS:
            raise ValueError(f"no kind of file is called {kind!r}")
        file = File(id=secrets.token_hex(16), kind=kind, data=data)
        self._files[file.id] = file
        self._bytes += len(data)
        while self._bytes > self._limit:
            _, oldest = self._files.popitem(last=False)
            self._bytes -= len(oldest.data)
        return file

    def get(self, id: str) -> File | None:
        """The file with that id, None where it is not there, or no longer."""
        return self._files.get(id)

    def drop(self, id: str) -> None:
        """Keep it no longer."""
        file = self._files.pop(id, None)
        if file is not None:
            self._bytes -= len(file.data)

    def clear(self) -> None:
        """Keep nothing."""
        self._files.clear()
        self._bytes = 0


def url(origin: str, name: str) -> str:
    """Where a file is found, below an origin such as `http://127.0.0.1:9000`."""
    return f"{origin}/sandbox/files/{name}"
