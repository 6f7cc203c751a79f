"""Files of users as what serves files of tasks takes them for. Pure."""

from dataclasses import dataclass

from unigate.store.assets import AssetRow
from unigate.store.own_files import FileRow
from unigate.tasks.media import UNKNOWN

#: How the ids of users' files begin, and those of tasks' files never do.
OF_USERS = "file-"
#: What is served beside a file that may run scripts: it does so in nobody's name.
SANDBOX = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox")
#: Types that a browser may run.
_RUN = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/x-javascript",
        "application/x-shockwave-flash",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
        "multipart/related",
        "text/ecmascript",
        "text/html",
        "text/javascript",
        "text/xml",
        "text/xsl",
    }
)
_RUN_BEGIN = ("application/x-ms", "application/vnd.microsoft.portable-executable", "message/", "multipart/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(AssetRow):
    """A user's file."""

    #: As its sender called it.
    filename: str


def served(row: FileRow | None) -> Served | None:
    """A file as it is served: nothing that may run is given as what it is."""
    if row is None:
        return None
    return Served(
        id=row.id,
        task_id="",
        user_id=row.user_id,
        kind="file",
        media_type=harmless(row.media_type),
        source="",
        private=False,
        place=0,
        state="kept",
        store=row.store,
        path=row.path,
        size=row.size,
        digest=row.digest,
        created_at=row.created_at,
        ends_at=row.expires_at,
        filename=row.filename,
    )


def harmless(media_type: str) -> str:
    """A type, or that of unknown bytes where a browser may run what has it."""
    runs = media_type in _RUN or media_type.startswith(_RUN_BEGIN) or media_type.endswith("+xml")
    return UNKNOWN if runs else media_type
