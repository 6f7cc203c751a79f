"""OwnFile and Upload: what users keep here, as dialects read and show it."""

from dataclasses import dataclass

from unigate.spec.form import FilePart


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that a user sends."""

    part: FilePart
    purpose: str
    filename: str
    #: Seconds after which it expires; 0: never.
    lasts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A user's file. Times are milliseconds since 1970."""

    id: str
    purpose: str
    filename: str
    media_type: str
    #: Bytes.
    size: int
    created_at: int
    #: 0: never.
    expires_at: int = 0
    #: A signed link to it.
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Which of a user's files are asked for."""

    purpose: str | None = None
    limit: int
    newest_first: bool = True
    #: The id of the file behind which the page begins.
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """An upload in parts that a user begins."""

    purpose: str
    filename: str
    media_type: str
    #: Bytes that it is to have.
    size: int
    #: Seconds after which its file expires; 0: never.
    lasts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload in parts, and its file once it is complete."""

    id: str
    purpose: str
    filename: str
    size: int
    state: str
    created_at: int
    expires_at: int
    file: OwnFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What makes an upload complete: its parts in order, and the MD5 of all of it in hexadecimal digits, or ""."""

    part_ids: tuple[str, ...]
    md5: str = ""
