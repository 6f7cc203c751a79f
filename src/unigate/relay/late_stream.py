"""A stream whose content is there all at once, later: until then comments keep it alive, since proxies end what says nothing.

It must not know what is waited for.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from unigate.base.errors import GatewayError
from unigate.spec.reply import Pieces, Reply

#: Seconds without a word, also before the stream is begun: until then an error still has a status of its own.
KEEP_ALIVE = 15.0
COMMENT = b": keep-alive\n\n"
_HEAD = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


async def in_time(
    work: Coroutine[Any, Any, Reply], late: Callable[[Reply | GatewayError], bytes], *, seconds: float = 0.0
) -> Reply | Pieces:
    """What `work` gives or raises; where it takes longer than `seconds` (KEEP_ALIVE), a stream that waits for it.

    `late` writes the events for what came of it then. Whoever leaves stops it.
    """
    every = seconds or KEEP_ALIVE
    running = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.wait({running}, timeout=every)
    except BaseException:
        await _stop(running)
        raise
    return running.result() if running.done() else Pieces(_waiting(running, late, every), _HEAD)


async def _waiting(
    running: asyncio.Task[Reply], late: Callable[[Reply | GatewayError], bytes], every: float
) -> AsyncGenerator[bytes, None]:
    try:
        while not running.done():
            yield COMMENT
            await asyncio.wait({running}, timeout=every)
        try:
            told: Reply | GatewayError = running.result()
        except GatewayError as error:
            told = error
        yield late(told)
    finally:
        await _stop(running)


async def _stop(running: asyncio.Task[Reply]) -> None:
    running.cancel()
    await asyncio.wait({running})
    if not running.cancelled():
        running.exception()  # it has been told, or nobody is there to be told
