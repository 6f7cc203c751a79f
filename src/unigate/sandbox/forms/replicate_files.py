"""Files that callers upload to Replicate, to name them in inputs.

https://replicate.com/docs/reference/http#files.create
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.forms import replicate_hooks
from unigate.sandbox.forms.replicate_prediction import moment
from unigate.sandbox.serving import multipart
from unigate.sandbox.serving.answer import Object, Whole
from unigate.sandbox.serving.world import World

_LARGEST = 100 * 1024 * 1024
_LONGEST_NAME = 255
_KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file; its bytes are kept among those of the sandbox."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    metadata: Object
    made_ms: int
    #: Its id among the files of the sandbox.
    kept: str

    def shown(self, base: str) -> Object:
        """The file as the vendor tells it; `base` ends in `/v1`."""
        return {
            "id": self.id,
            "name": self.name,
            "content_type": self.media_type,
            "size": self.size,
            "etag": self.sha256[:32],
            "checksums": {"sha256": self.sha256},
            "metadata": self.metadata,
            "created_at": moment(self.made_ms),
            "expires_at": moment(self.made_ms + _KEPT_MS),
            "urls": {"get": f"{base}/files/{self.id}"},
        }


def add(world: World, credential: str, body: bytes, content_type: str) -> Upload:
    """Keep what a form uploads; refuses what the vendor refuses."""
    try:
        parts = {part.name: part for part in multipart.read(body, content_type)}
    except ValueError as error:
        raise errors.Problem(400, "Bad request", f"The form could not be read: {error}.") from None
    given = parts.get("content")
    if given is None:
        raise errors.invalid([("required", "", "content is required")])
    if len(given.data) > _LARGEST:
        raise errors.failure(413)
    texts = {name: parts[name].data.decode("utf-8", "replace") for name in ("filename", "type") if name in parts}
    name = texts.get("filename") or given.filename or "file"
    if len(name) > _LONGEST_NAME:
        raise errors.invalid(
            [("string_lte", "filename", f"String length must be less than or equal to {_LONGEST_NAME}")]
        )
    now = clock.now_ms()
    upload = Upload(
        id=seeds.letters(seeds.dice(clock.monotonic_ns(), credential, name), 48),
        name=name,
        media_type=texts.get("type") or given.media_type or "application/octet-stream",
        size=len(given.data),
        sha256=hashlib.sha256(given.data).hexdigest(),
        metadata=_metadata(parts["metadata"].data) if "metadata" in parts else {},
        made_ms=now,
        kept=world.files.put(given.data, "bin").id,
    )
    _all(world, credential)[upload.id] = upload
    return upload


def listed(world: World, credential: str) -> list[Upload]:
    """All files of an account, the newest first."""
    kept = _all(world, credential)
    return [upload for upload in reversed(kept.values()) if find(world, credential, upload.id)]


def find(world: World, credential: str, id: str) -> Upload | None:
    """One file of an account, None where it has none such, or no longer."""
    upload = _all(world, credential).get(id)
    if upload is None or clock.now_ms() - upload.made_ms >= _KEPT_MS or world.files.get(upload.kept) is None:
        return None
    return upload


def content(world: World, credential: str, id: str) -> bytes | None:
    """The bytes of a file."""
    upload = find(world, credential, id)
    kept = None if upload is None else world.files.get(upload.kept)
    return None if kept is None else kept.data


def drop(world: World, credential: str, id: str) -> bool:
    """Forget a file; whether there was one."""
    upload = _all(world, credential).pop(id, None)
    if upload is not None:
        world.files.drop(upload.kept)
    return upload is not None


def username(credential: str) -> str:
    """The name of the account behind a token."""
    return "sandbox-" + seeds.hexadecimal(seeds.dice("account", credential), 8)


def download(world: World, id: str, query: Mapping[str, str]) -> Whole:
    """The bytes of a file, by an address that its owner signed and that has not run out."""
    owner = world.shelf.get(f"replicate/owner/{query.get('owner', '')}", "")
    expiry, given = query.get("expiry", ""), query.get("signature", "").replace(" ", "+")
    if not isinstance(owner, str) or not hmac.compare_digest(signature(owner, id, expiry).encode(), given.encode()):
        raise errors.Problem(403, "Forbidden", "The signature does not match.")
    upload = find(world, owner, id)
    kept = None if upload is None else world.files.get(upload.kept)
    if upload is None or kept is None or not expiry.isdecimal() or int(expiry) * 1000 <= clock.now_ms():
        raise errors.failure(404)
    return Whole(payload=kept.data, media_type=upload.media_type)


def signature(credential: str, id: str, expiry: str) -> str:
    """What lets anybody download a file until a moment: signed with the secret of the account's webhooks."""
    key = base64.b64decode(replicate_hooks.secret(credential).partition("_")[2])
    told = f"{username(credential)} {id} {expiry}".encode()
    return base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()


def _metadata(data: bytes) -> Object:
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise errors.invalid([("invalid_type", "metadata", "Invalid type. Expected: object")])
    return told


def _all(world: World, credential: str) -> dict[str, Upload]:
    """The files of an account by id, in the order of their uploads."""
    place = f"replicate/files/{credential}"
    kept = world.shelf.get(place, credential)
    if not isinstance(kept, dict):
        kept = {}
        world.shelf.put(place, credential, kept)
        world.shelf.put(f"replicate/owner/{username(credential)}", "", credential)
    return kept
