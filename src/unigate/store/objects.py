"""Storages: folders and S3-compatible buckets in which files are kept, by obstore. Knows no task and no row.

A file appears whole or not at all. Whatever goes wrong between us and a storage is StoreUnavailable; the library is loaded
at the first use, since a worker may never need it.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from unigate.base.errors import GatewayError, StoreUnavailable, TooLarge
from unigate.store.leftovers import remove_left_of, remove_leftovers

#: A file up to this size is stored with one request, a larger one in parts of it.
PART = 5 * 1024 * 1024
#: What a reader is given at a time.
PIECE = 256 * 1024
_FILE, _S3 = "file:///", "s3://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was stored: bytes, and their SHA-256."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file, or a range of it: the size of the whole, and the pieces asked for."""

    size: int
    pieces: AsyncIterator[bytes]


class Objects:
    """One storage."""

    def __init__(self, name: str, made: Any, folder: Path | None) -> None:
        """`made`: a store of obstore's. `folder`: where it lies, if it is one."""
        #: As rows remember it; says nothing secret.
        self.name = name
        self._made = made
        self._folder = folder

    async def put(self, path: str, pieces: AsyncIterator[bytes], *, most: int, media_type: str = "") -> Stored:
        """Store a file that comes in pieces. TooLarge beyond `most` bytes, StoreUnavailable; what `pieces` raises.

        In any of these cases, as when it is cancelled, nothing is there afterwards that was not there before.
        """
        import obstore  # noqa: PLC0415 - loaded at the first use

        counted = _Counted(pieces, most)
        # Folders can't remember a type.
        attributes = {"Content-Type": media_type} if media_type and self._folder is None else None
        begin = await counted.part()
        given: Any = begin if counted.ended else counted.after(begin)
        try:
            await obstore.put_async(self._made, path, given, attributes=attributes, chunk_size=PART, max_concurrency=2)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / path, self._folder)
        except Exception as error:  # noqa: BLE001 - the library has an error for each of its layers
            raise counted.failure or _failed(self.name, error) from None
        return Stored(size=counted.size, digest=counted.digest)

    async def get(self, path: str, start: int = 0, stop: int | None = None) -> Found | None:
        """A file, or its bytes from `start` up to `stop`; None where there is none. StoreUnavailable, from pieces too."""
        import obstore  # noqa: PLC0415 - loaded at the first use

        asked: Any = {} if stop is None else {"range": (start, stop)}
        if stop is None and start:
            asked = {"range": {"offset": start}}
        try:
            found = await obstore.get_async(self._made, path, options=asked)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(self.name, error) from None
        return Found(size=found.meta["size"], pieces=self._pieces(found.stream(min_chunk_size=PIECE)))

    async def size(self, path: str) -> int | None:
        """The size of a file; None where there is none. StoreUnavailable."""
        import obstore  # noqa: PLC0415 - loaded at the first use

        try:
            return int((await obstore.head_async(self._made, path))["size"])
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(self.name, error) from None

    async def delete(self, path: str) -> None:
        """Remove a file, if it is there, and what a killed writer left of it. StoreUnavailable."""
        import obstore  # noqa: PLC0415 - loaded at the first use

        try:
            if self._folder is not None:
                await asyncio.to_thread(remove_left_of, self._folder / path)
            await obstore.delete_async(self._made, path)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(self.name, error) from None

    async def delete_all(self, beginning: str) -> None:
        """Remove the files whose paths begin so, with a folder and a name's beginning. StoreUnavailable."""
        import obstore  # noqa: PLC0415 - loaded at the first use

        try:
            async for some in obstore.list(self._made, prefix=beginning.rpartition("/")[0]):
                found = [one["path"] for one in some if one["path"].startswith(beginning)]
                if found:
                    await obstore.delete_async(self._made, found)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(self.name, error) from None

    async def _pieces(self, stream: Any) -> AsyncIterator[bytes]:
        try:
            async for piece in stream:
                yield bytes(piece)
        except Exception as error:  # noqa: BLE001 - as above
            raise _failed(self.name, error) from None


class Storages:
    """The storage that is configured now, and by their names those that were before."""

    def __init__(self, url: str, *, data: Path, aws: Mapping[str, str]) -> None:
        """`url` as `base.settings` checked it; folders that it names lie below `data` unless they begin with a slash."""
        self._data = data
        self._aws = dict(aws)
        self._opened: dict[str, Objects] = {}
        endpoint = self._aws.get("endpoint", "").rstrip("/")
        #: The name of the storage that is configured now.
        self.name = url.rstrip("/")
        if endpoint and url.startswith(_S3):
            self.name += f"?endpoint={quote(endpoint, safe=':/')}"

    def open(self, name: str = "") -> Objects:
        """The storage of that name, of the one configured now by itself; StoreUnavailable where it can't be had."""
        name = name or self.name
        found = self._opened.get(name)
        if found is None:
            try:
                found = self._opened[name] = self._folder(name) if name.startswith(_FILE) else self._bucket(name)
            except Exception as error:  # noqa: BLE001 - as above
                raise _failed(name, error) from None
        return found

    async def tidy(self, *, older: float) -> int:
        """Remove what killed writers left in the folder configured now, if it is older (seconds); how many it were.

        Of a bucket that is the business of its own rules for uploads that never ended.
        """
        if not self.name.startswith(_FILE):
            return 0
        return await asyncio.to_thread(remove_leftovers, self._place(self.name), older)

    def _place(self, name: str) -> Path:
        return self._data / unquote(name.removeprefix(_FILE))

    def _folder(self, name: str) -> Objects:
        from obstore.store import LocalStore  # noqa: PLC0415 - loaded at the first use

        folder = self._place(name)
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        made = LocalStore(folder, mkdir=True, automatic_cleanup=True)
        for path in new:
            _on_disk(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        return Objects(name, made, folder)

    def _bucket(self, name: str) -> Objects:
        from obstore.store import S3Store  # noqa: PLC0415 - loaded at the first use

        where = urlsplit(name)
        config: dict[str, Any] = {"region": "us-east-1", **self._aws}
        config.pop("endpoint", None)
        endpoint = parse_qs(where.query).get("endpoint", [""])[0]
        if endpoint:
            config["endpoint"] = endpoint
        made = S3Store(
            where.netloc,
            prefix=unquote(where.path).strip("/") or None,
            config=config,  # type: ignore[arg-type]  # a TypedDict, of whose names these are
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "read_timeout": timedelta(seconds=30),
                "timeout": timedelta(hours=6),  # of one whole answer: a slow caller may take its time
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )
        return Objects(name, made, None)


class _Counted:
    """Pieces on their way to a storage: counted, digested, and bounded."""

    def __init__(self, pieces: AsyncIterator[bytes], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self._hash = hashlib.sha256()
        self.size = 0
        self.ended = False
        #: What went wrong at the side from which they come.
        self.failure: GatewayError | None = None

    @property
    def digest(self) -> bytes:
        """Of all that came."""
        return self._hash.digest()

    async def part(self) -> bytes:
        """As much as one request stores, or all there is."""
        part = bytearray()
        while not self.ended and len(part) <= PART:
            part += await self._next()
        return bytes(part)

    async def after(self, begin: bytes) -> AsyncIterator[bytes]:
        """All of it, behind what was taken already."""
        yield begin
        try:
            while piece := await self._next():
                yield piece
        except GatewayError as error:
            self.failure = error
            raise

    async def _next(self) -> bytes:
        piece = await anext(self._pieces, b"")
        self.ended = not piece
        self.size += len(piece)
        if self.size > self._most:
            raise TooLarge(f"The file is larger than {self._most} bytes.")
        self._hash.update(piece)
        return piece


def _sync(file: Path, root: Path) -> None:
    """Have a file, and the folders that lead to it from `root`, on the disk before a row says that they are there.

    All of these folders, each time: whoever made one may have died, or be at it still.
    """
    _on_disk(file, os.O_RDONLY)
    for folder in file.parents:
        _on_disk(folder, os.O_RDONLY | os.O_DIRECTORY)
        if folder in (root, folder.parent):
            return


def _on_disk(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _failed(name: str, error: Exception) -> StoreUnavailable:
    """The library's error as ours; it tells more than a line."""
    return StoreUnavailable(detail=f"storage {name}: {str(error).partition(chr(10))[0][:300]}")
