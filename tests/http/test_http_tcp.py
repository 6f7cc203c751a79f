"""What the kernel tells of a connection."""

import socket
import sys
from collections.abc import Iterator

import pytest

from unigate.http.tcp import reset_on_close, untaken


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
    with sender, receiver:
        receiver.settimeout(10)
        yield sender, receiver


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told on Linux only")
def test_what_the_peer_has_not_taken(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = pair
    assert untaken(sender) == 0
    sender.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sender.send(b"x" * 65536)
    except BlockingIOError:
        pass
    before = untaken(sender)
    assert 0 < before <= sent
    taken = 0
    while taken < sent:
        taken += len(receiver.recv(1 << 20))
    assert untaken(sender) < before
    assert untaken(None) == 0


def test_of_a_closed_socket_nothing_is_known(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert untaken(pair[0]) == 0


def test_a_reset_is_no_proper_end(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = pair
    reset_on_close(sender)
    sender.close()
    with pytest.raises(ConnectionResetError):
        receiver.recv(1)
    reset_on_close(None)
