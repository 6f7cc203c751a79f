"""Assets: rows for the files that a task made, and the links under which callers fetch them.

A link is right by its signature alone: whoever has it may fetch the file until it ends. Knows no HTTP.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import Forbidden, Gone
from unigate.base.live_settings import AssetSettings
from unigate.spec.task import Asset, Output
from unigate.store.assets import AssetRow
from unigate.tasks.media import ending, plain

_DAY_MS, _HOUR_S = 86_400_000, 3600
_SIGNATURE = 32  # characters, of six bits each


def asset_rows(
    task_id: str,
    user_id: str,
    outputs: Sequence[Output],
    *,
    keep: bool,
    private: Callable[[str], bool],
    settings: AssetSettings,
    now: int,
) -> list[AssetRow]:
    """The rows of a task that has succeeded: to be copied where we `keep` files.

    `private`: whether a file may lie at a private address.
    """
    return [
        AssetRow(
            id=ids.new("ast"),
            task_id=task_id,
            user_id=user_id,
            kind=output.kind,
            media_type=plain(output.media_type),
            source=output.url.replace("\0", "%00"),  # PostgreSQL's text holds none
            private=private(output.url),
            place=place,
            state="waiting" if keep else "remote",
            created_at=now,
            due_at=now,
            ends_at=now + settings.keep_days * _DAY_MS if settings.keep_days else 0,
        )
        for place, output in enumerate(outputs)
    ]


class Links:
    """Signs the addresses of files, and knows its own signatures."""

    def __init__(
        self,
        secret: str,
        *,
        keep: bool = True,
        settings: Callable[[], AssetSettings] = AssetSettings,
        others: Sequence[str] = (),
    ) -> None:
        """`secret`: the gateway's; `others`: those that may have signed before. `keep`: files are copied."""
        self._keys = [_key(one) for one in (secret, *others)]
        self._keep = keep
        self._settings = settings

    def link(self, asset: Asset, base: str, *, seconds: int = 0) -> str:
        """A fresh link to a file, below `base`; the provider's own address where we keep no files.

        It works as long as the settings say, and at least so many `seconds`. What stood in the provider's answer itself (a `data:` URL) has no other address than ours.
        """
        if not (self._keep or asset.kept or asset.source[:5].lower() == "data:"):
            return asset.source
        return f"{base}/files/{asset.id}.{ending(asset.media_type, asset.source)}?{self.query(asset.id, seconds)}"

    def query(self, name: str, seconds: int = 0) -> str:
        """The query that makes an address right: when it ends (seconds since 1970), and a signature."""
        until = now_ms() // 1000 + max(self._settings().link_hours * _HOUR_S, seconds)
        return f"until={until}&sig={_sign(self._keys[0], name, str(until))}"

    def check(self, name: str, until: str, signature: str) -> int:
        """Seconds for which a link still works. Forbidden where it was not signed by us, Gone where it has ended."""
        given = signature.encode(errors="replace")
        signed = [hmac.compare_digest(_sign(key, name, until).encode(), given) for key in self._keys]
        if not (any(signed) and until.isdecimal() and until.isascii()):
            raise Forbidden("This link is not valid.", code="invalid_signature")
        left = int(until) - now_ms() // 1000
        if left <= 0:
            raise Gone("This link has ended. Fetch the task again: it names a fresh one.", code="link_ended")
        return left


def _key(secret: str) -> bytes:
    """A key for links alone, so that nothing else that the secret signs can be taken for one."""
    return hmac.digest(secret.encode(), b"links to files", sha256)


def _sign(key: bytes, name: str, until: str) -> str:
    signed = hmac.digest(key, f"{until}:{name}".encode(errors="replace"), sha256)
    return urlsafe_b64encode(signed).decode()[:_SIGNATURE]
