"""Listening sockets. It must not accept: it hands the sockets to whoever does."""

import errno
import socket
import sys

_BACKLOG = 2048


def listen(host: str, port: int, workers: int = 1) -> list[socket.socket]:
    """One listening socket per worker, all at one address; OSError where it is taken.

    On Linux each is a socket of its own with SO_REUSEPORT, which spreads connections evenly; elsewhere they are copies
    of one, as SO_REUSEPORT does not balance there. The sockets stay open while workers restart, so no connection that
    waits in a queue is lost. Port 0 takes a free one.
    """
    family, address = _resolve(host, port)
    # Without SO_REUSEPORT: with it, a second server would share the port in silence.
    first = _bind(family, address, reuse_port=False)
    if workers == 1 or not sys.platform.startswith("linux"):
        first.listen(_BACKLOG)
        return [first, *(first.dup() for _ in range(workers - 1))]
    address = first.getsockname()
    first.close()
    sockets: list[socket.socket] = []
    try:
        for _ in range(workers):
            sockets.append(_bind(family, address, reuse_port=True))
            sockets[-1].listen(_BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """Family and address; IPv4 first where a name has both, since that is what callers try."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _bind(family: socket.AddressFamily, address: tuple[object, ...], *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        if not reuse_port:
            sock.listen(1)  # two bound sockets that don't listen yet would not be in each other's way
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"{address[0]}:{address[1]} is already in use") from None
        raise
    return sock
