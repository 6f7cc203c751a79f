"""Listening sockets and the settings of the process."""

import gc
import socket
import subprocess
import sys

import pytest

from unigate.http.listen import listen
from unigate.http.tuning import new_event_loop, settle_heap
from unigate.upstream import keep_freed_memory


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_one_socket_per_worker_at_one_address(workers: int) -> None:
    sockets = listen("127.0.0.1", 0, workers)
    try:
        assert len(sockets) == workers
        assert len({sock.getsockname() for sock in sockets}) == 1
        assert len({sock.fileno() for sock in sockets}) == workers
    finally:
        _close(sockets)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_an_address_is_never_shared_in_silence(first: int, second: int) -> None:
    sockets = listen("127.0.0.1", 0, first)
    try:
        port = sockets[0].getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port} is already in use"):
            listen("127.0.0.1", port, second)
    finally:
        _close(sockets)
    _close(listen("127.0.0.1", port, second))  # and it is free again


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="balances on Linux only")
def test_connections_are_spread_over_the_workers() -> None:
    sockets = listen("127.0.0.1", 0, 4)
    callers = [socket.create_connection(sockets[0].getsockname()) for _ in range(64)]
    counts = []
    try:
        for sock in sockets:
            sock.setblocking(False)
            counts.append(0)
            try:
                while True:
                    sock.accept()[0].close()
                    counts[-1] += 1
            except BlockingIOError:
                pass
        assert sum(counts) == 64
        assert all(counts)
    finally:
        _close(callers + sockets)


def test_names_are_resolved() -> None:
    sockets = listen("localhost", 0)
    assert sockets[0].family == socket.AF_INET
    _close(sockets)


def test_memory_is_kept_where_there_is_glibc() -> None:
    assert keep_freed_memory() is (sys.platform.startswith("linux") and "glibc" in _libc())


def _libc() -> str:
    import platform  # noqa: PLC0415

    return platform.libc_ver()[0]


def test_settled_objects_are_out_of_the_collectors_rounds() -> None:
    """In a process of its own: what is frozen stays so."""
    code = "import gc; from unigate.http.tuning import settle_heap; settle_heap(); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert int(done.stdout) > 1000
    assert callable(settle_heap)
    assert gc.isenabled()


def test_event_loop_is_uvloops() -> None:
    loop = new_event_loop()
    try:
        assert type(loop).__module__.startswith("uvloop")
    finally:
        loop.close()
