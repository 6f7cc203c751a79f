"""Limits shared by several workers: real sockets and real processes, and what happens when one of them is gone."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import stat
import struct
import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits_cases import Clock, key

from support.waiting import until
from unigate.access import limiter_server
from unigate.access.limiter import Limiter, SharedLimits
from unigate.access.limiter_frames import MAX_FRAME, Done, Frames, Hello, Resume, Take, frame, requests
from unigate.access.limiter_server import Server, listen, place
from unigate.access.limits import UNLIMITED, Admission, Limits
from unigate.base.errors import TooMany
from unigate.spec.caller import Key

SPAWN = multiprocessing.get_context("spawn")
BOUND = 20.0


async def admitted(limits: Limiter, of: Key, calls: int, tokens: int = 0) -> list[Admission]:
    """What is admitted of so many calls at once."""
    found = await asyncio.gather(*(limits.take(of, tokens) for _ in range(calls)), return_exceptions=True)
    assert all(isinstance(one, Admission | TooMany) for one in found)
    return [one for one in found if isinstance(one, Admission)]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "l.sock")


@pytest.fixture
async def clients(path: str) -> AsyncIterator[list[SharedLimits]]:
    made: list[SharedLimits] = []
    yield made
    for client in made:
        await client.close()


async def connect(clients: list[SharedLimits], path: str, *, workers: int = 2, patience: float = 5.0) -> SharedLimits:
    client = SharedLimits(path, workers=workers, clock_ns=time.monotonic_ns, patience=patience)
    clients.append(client)
    await client.start()
    return client


@pytest.fixture
async def server(path: str) -> AsyncIterator[Server]:
    """A limiter in this process, whose clock stands still."""
    made = Server(Clock())
    await made.start(path)
    yield made
    await made.close()


@pytest.fixture
def processes() -> Iterator[list[BaseProcess]]:
    made: list[BaseProcess] = []
    yield made
    for process in made:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
        process.join(BOUND)


def mode(path: str) -> int:
    """A file's permissions."""
    return stat.S_IMODE(Path(path).stat().st_mode)


def start_limiter(processes: list[BaseProcess], path: str) -> BaseProcess:
    """A limiter process that listens."""
    ready = SPAWN.Event()
    process = SPAWN.Process(target=limiter_server.main, args=(path, ready.set))
    process.start()
    processes.append(process)
    assert ready.wait(BOUND)
    return process


def hold(path: str, places: int, ready: "multiprocessing.synchronize.Event") -> None:
    """A worker process that takes places and never gives them back."""

    async def run() -> None:
        client = SharedLimits(path, workers=2, clock_ns=time.monotonic_ns, patience=5.0)
        await client.start()
        assert len(await admitted(client, key(concurrency=5), places)) == places
        assert client.served_locally == 0
        ready.set()
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=limiter_server._new_loop) as runner:
        runner.run(run())


async def test_two_workers_share_one_limit_exactly(server: Server, path: str, clients: list[SharedLimits]) -> None:
    one, other = await connect(clients, path), await connect(clients, path)
    found = await asyncio.gather(*(admitted(client, key(rpm=101), 100) for client in (one, other)))
    assert len(found[0]) + len(found[1]) == 101 and one.served_locally == other.served_locally == 0
    headers = dict(found[0][0].headers())
    assert headers[b"x-ratelimit-limit-requests"] == b"101"
    with pytest.raises(TooMany) as caught:
        await one.take(key(rpm=101), 0)
    assert caught.value.retry_after == pytest.approx(60 / 101, abs=0.001)
    assert dict(caught.value.headers)[b"retry-after-ms"] == b"595"


async def test_two_workers_share_places_and_tokens(server: Server, path: str, clients: list[SharedLimits]) -> None:
    one, other = await connect(clients, path), await connect(clients, path)
    limited = key(concurrency=3, tpm=1000)
    held = [*await admitted(one, limited, 2, 300), *await admitted(other, limited, 2, 300)]
    assert len(held) == 3
    held[0].done(50)
    held[0].done(50)
    await until(lambda: server.buckets.in_flight(limited.id) == 2, what="a place given back, once")
    assert await admitted(other, limited, 1, 351) == [], "850 are left of 1000: 100 and 250 that were not used"
    [last] = await admitted(other, limited, 1, 350)
    assert dict(last.headers())[b"x-ratelimit-remaining-tokens"] == b"0"


async def test_a_call_that_lasts_uses_tokens_of_all_workers(
    server: Server, path: str, clients: list[SharedLimits]
) -> None:
    first, second = await connect(clients, path), await connect(clients, path)
    lasting = await first.take(key(tpm=100), 0)
    lasting.used(40)
    lasting.used(60)
    # Frames of one worker keep their order, those of two do not.
    assert not await admitted(first, key(tpm=100), 1, 1)
    assert not await admitted(second, key(tpm=100), 1, 1)
    lasting.done(0)
    assert len(await admitted(second, key("key_2", tpm=100), 1, 1)) == 1


async def test_keys_without_limits_are_not_asked_about(path: str, clients: list[SharedLimits]) -> None:
    client = SharedLimits(path, workers=2, clock_ns=Clock())
    assert await client.take(key(), 5) is UNLIMITED and client.served_locally == 0


async def test_a_caller_who_leaves_while_waiting_gives_the_place_back(
    server: Server, path: str, clients: list[SharedLimits]
) -> None:
    client = await connect(clients, path)
    limited = key(concurrency=1)
    for turns in range(12):
        task = asyncio.ensure_future(client.take(limited, 0))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.cancel():
            task.result().done()
        with contextlib.suppress(asyncio.CancelledError):
            (await task).done()
        await until(lambda: server.buckets.in_flight(limited.id) == 0, what=f"the place, after {turns} turns")
        (await client.take(limited, 0)).done()
    assert client.served_locally == 0


async def test_a_worker_killed_outright_gives_back_its_places(
    path: str, processes: list[BaseProcess], clients: list[SharedLimits]
) -> None:
    start_limiter(processes, path)
    ready = SPAWN.Event()
    worker = SPAWN.Process(target=hold, args=(path, 3, ready))
    worker.start()
    processes.append(worker)
    assert await asyncio.to_thread(ready.wait, BOUND)
    client = await connect(clients, path)
    mine = await admitted(client, key(concurrency=5), 10)
    assert len(mine) == 2
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    for _ in range(2000):
        mine += await admitted(client, key(concurrency=5), 1)
        if len(mine) == 5:
            break
        await asyncio.sleep(0.01)
    assert len(mine) == 5 and await admitted(client, key(concurrency=5), 5) == []
    assert client.served_locally == 0


async def test_a_dead_limiter_is_gone_past_and_a_new_one_knows_the_calls_on_their_way(
    path: str, processes: list[BaseProcess], clients: list[SharedLimits]
) -> None:
    first = start_limiter(processes, path)
    client = await connect(clients, path, workers=2)
    limited = key(concurrency=4)
    held = await admitted(client, limited, 3)
    assert len(held) == 3 and first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: not client.connected, what="the loss is seen")
    local = await admitted(client, limited, 9)
    assert len(local) == 2 and client.served_locally == 9, "half of the limit, since there are two workers"
    for admission in local:
        admission.done()
    start_limiter(processes, path)  # in place of the dead one's socket
    await until(lambda: client.connected, what="the new limiter")
    assert len(await admitted(client, limited, 9)) == 1, "three of four are on their way"
    held[0].done()
    assert len(await admitted(client, limited, 9)) == 1
    assert client.served_locally == 9


async def test_a_stuck_limiter_is_waited_for_once(
    path: str, processes: list[BaseProcess], clients: list[SharedLimits]
) -> None:
    limiter = start_limiter(processes, path)
    client = await connect(clients, path, workers=1, patience=0.2)
    assert limiter.pid is not None
    os.kill(limiter.pid, signal.SIGSTOP)
    found = await asyncio.wait_for(admitted(client, key(rpm=3), 5), BOUND)
    assert len(found) == 3 and client.served_locally == 5 and not client.connected
    began = time.monotonic()
    assert await admitted(client, key(rpm=3), 100) == []
    assert time.monotonic() - began < 5, "no further waiting"
    os.kill(limiter.pid, signal.SIGCONT)
    await until(lambda: client.connected, what="the limiter is back")
    served = client.served_locally
    assert len(await admitted(client, key("key_2", rpm=3), 5)) == 3 and client.served_locally == served


async def test_without_a_limiter_a_worker_starts_all_the_same(path: str, clients: list[SharedLimits]) -> None:
    client = SharedLimits(path, workers=4, clock_ns=Clock())
    clients.append(client)
    await client.start(wait=0.05)
    assert len(await admitted(client, key(rpm=8), 5)) == 2 and client.served_locally == 5
    late = Server(Clock())
    await late.start(path)
    await until(lambda: client.connected, what="the limiter that came late")
    assert len(await admitted(client, key(rpm=8), 20)) == 8
    await late.close()
    await until(lambda: not client.connected, what="it went")


async def test_a_closed_worker_gives_back_its_places(server: Server, path: str) -> None:
    client = SharedLimits(path, workers=2, clock_ns=Clock())
    await client.start()
    [held] = await admitted(client, key(concurrency=2), 1)
    await client.close()
    await until(lambda: server.buckets.in_flight("key_1") == 0, what="its place")
    held.done()


async def test_a_limiter_ends_cleanly(path: str, processes: list[BaseProcess]) -> None:
    process = start_limiter(processes, path)
    assert process.pid is not None and mode(path) == 0o600
    os.kill(process.pid, signal.SIGTERM)
    await asyncio.to_thread(process.join, BOUND)
    assert process.exitcode == 0
    with pytest.raises(FileNotFoundError):
        mode(path)


def test_a_socket_in_use_is_not_taken_over(path: str, tmp_path: Path) -> None:
    first = listen(path)
    with pytest.raises(OSError, match="another limiter"):
        listen(path)
    first.close()
    listen(path).close()
    other = tmp_path / "file"
    other.write_text("mine")
    with pytest.raises(FileExistsError):
        listen(str(other))
    assert other.read_text() == "mine"


def test_the_sockets_place_is_short_enough(tmp_path: Path) -> None:
    assert place("/data") == "/data/limiter.sock"
    deep = tmp_path / ("x" * 100)
    found = Path(place(str(deep)))
    assert len(os.fsencode(found)) < 100 and mode(str(found.parent)) == 0o700
    listen(str(found)).close()
    found.unlink()
    found.parent.rmdir()


async def closed_after(path: str, sent: bytes) -> bool:
    """Whether the limiter ends a connection that sends these bytes."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(sent)
        async with asyncio.timeout(BOUND):
            while await reader.read(65536):
                pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    else:
        return True
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", MAX_FRAME + 1),
        b"\xff\xff\xff\xff",
        struct.pack(">I", 3) + b"\xff\xff\xff",
        struct.pack(">I", 0),
        b"GET / HTTP/1.1\r\n\r\n",
        frame(Take(1, "k", 1, 1, 1, -1)),
        frame(Take(1, "k" * 300, 1, 1, 1, 1)),
        frame(Take(0, "k", 1, 1, 1, 1)),
        frame(Take(1, "k", 0, 0, 9, 1)) * 2,
    ],
)
async def test_what_no_worker_sends_ends_the_connection(server: Server, path: str, sent: bytes) -> None:
    assert await closed_after(path, sent)
    await until(lambda: not server._workers, what="forgotten")
    assert server.buckets.in_flight("k") == 0
    client = SharedLimits(path, workers=1, clock_ns=Clock())
    await client.start()
    assert client.connected, "others are not concerned"
    await client.close()


async def test_a_limiter_that_talks_nonsense_is_left(path: str, clients: list[SharedLimits]) -> None:
    met = 0

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        met += 1
        writer.write(b"\x00\x00\x00\x02hi")
        await reader.read(100)
        writer.close()

    other = await asyncio.start_unix_server(nonsense, path)
    client = SharedLimits(path, workers=1, clock_ns=Clock())
    clients.append(client)
    await client.start(wait=0.05)
    await until(lambda: met >= 2, what="tried again")
    assert not client.connected and len(await admitted(client, key(rpm=1), 2)) == 1
    await client.close()
    clients.clear()
    other.close()


async def test_calls_are_pipelined(server: Server, path: str, clients: list[SharedLimits]) -> None:
    client = await connect(clients, path)
    found = await admitted(client, key(rpm=5000, tpm=10**6, concurrency=5000), 3000, 10)
    assert len(found) == 3000 and server.buckets.in_flight("key_1") == 3000
    for admission in found:
        admission.done(1)
    await until(lambda: server.buckets.in_flight("key_1") == 0, what="all given back")
    assert client.served_locally == 0


MESSAGES = st.lists(
    st.one_of(
        st.just(Hello()),
        st.builds(Done, st.integers(0, 2**53), st.integers(0, 2**53)),
        st.builds(Take, *[st.integers(0, 9), st.text(min_size=1, max_size=200)], *[st.integers(0, 2**53)] * 4),
        st.builds(Resume, *[st.integers(0, 9), st.text(min_size=1, max_size=9)], *[st.integers(0, 2**53)] * 4),
    ),
    max_size=8,
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_frames_survive_any_cuts(messages: list[Hello | Done | Take | Resume], cuts: list[int]) -> None:
    data = b"".join(frame(message) for message in messages)
    at = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    frames = Frames()
    read = [requests.decode(one) for start, end in pairwise(at) for one in frames.feed(data[start:end])]
    assert read == messages


def test_both_forms_are_limiters(path: str) -> None:
    forms: list[Limiter] = [Limits(Clock()), SharedLimits(path, workers=1, clock_ns=Clock())]
    assert len(forms) == 2
