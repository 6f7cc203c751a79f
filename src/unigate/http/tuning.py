"""Settings of the process that a server of many small and some large pieces of memory wants.

Each is a call to make once at start; none is needed for correctness.
"""

import asyncio
import gc
import importlib.util
import resource

#: A call makes some hundred objects and leaves no cycles: the young are looked at every few hundred calls.
_GARBAGE = (50_000, 20, 50)
#: Two for each call, and some for files.
_DESCRIPTORS = 65_536


def many_descriptors() -> int:
    """Allow as many open connections as the system lets us; how many descriptors that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def settle_heap() -> None:
    """Take all that is loaded by now out of the garbage collector's rounds: a full one cost some 50 ms. Then have fewer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of uvloop where it is installed, else asyncio's own."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  # not to be had on every platform

    return uvloop.new_event_loop()
