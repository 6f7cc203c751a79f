"""Gets what stands behind the addresses in an input of Replicate's: data URLs, files uploaded to it, the web.

Addresses below `example.com` and its like, and of files that the vendor itself handed out, are never called: such a
picture is drawn on the spot, so that examples out of documents work without a network.
"""

import asyncio
import base64
import binascii
import re
from urllib.parse import unquote_to_bytes, urlsplit

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.replicate_files import content
from unigate.sandbox.forms.replicate_make import Failed
from unigate.sandbox.forms.replicate_request import Asked
from unigate.sandbox.media.draw import draw, encode
from unigate.sandbox.serving import outgoing
from unigate.sandbox.serving.world import World

_UPLOADED = re.compile(r"/replicate/v1/files/([\w-]+)(?:/download)?")
_DRAWN = re.compile(r"(?:.+\.)?(?:example\.(?:com|org|net)|example|replicate\.delivery)")
_SIDE = 512


async def files(asked: Asked, world: World, credential: str) -> dict[str, bytes]:
    """The files that an input names, by field; Failed where one can't be had."""
    named = [field.name for field in asked.model.fields if field.kind == "file" and field.name in asked.input]
    return {name: await _file(asked.input[name], world, credential) for name in named}


async def _file(url: str, world: World, credential: str) -> bytes:
    if url[:5].lower() == "data:":
        return _inline(url)
    parts = urlsplit(url)
    if found := _UPLOADED.fullmatch(parts.path):
        data = content(world, credential, found[1])
        if data is None:
            raise Failed(f"Failed to download file: 404 Client Error: Not Found for url: {url}")
        return data
    if _DRAWN.fullmatch(parts.hostname or ""):
        return await asyncio.to_thread(_stand_in, parts.path)
    try:
        return await outgoing.get(url)
    except (OSError, ValueError) as error:
        raise Failed(f"Failed to download file: {error}") from None


def _inline(url: str) -> bytes:
    """What a data URL holds."""
    head, _, data = url.partition(",")
    try:
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw, validate=True) if head.endswith(";base64") else raw
    except binascii.Error:
        raise Failed("Failed to decode the data URI of an input.") from None


def _stand_in(path: str) -> bytes:
    words = re.sub(r"[^a-z0-9]+", " ", path.rpartition("/")[2].rpartition(".")[0].lower())
    return encode(draw(words.strip(), _SIDE, _SIDE, seed=seeds.seed(path)), "png")
