"""What the kernel knows of a connection, and the transport does not tell."""

import fcntl
import socket
import struct
import sys
import termios

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def untaken(sock: socket.socket | None) -> int:
    """Bytes that were handed to the kernel and that the peer has not acknowledged; 0 where that can't be told.

    The kernel asks for more only when a third of its buffer, which may be megabytes, is free. So the transport's own
    buffer can stand still for long while the peer takes bytes all the time. (tcp(7), SIOCOUTQ)
    """
    if sock is None or not sys.platform.startswith("linux"):
        return 0
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # closed by now
        return 0
    return int.from_bytes(answer, sys.byteorder)


def reset_on_close(sock: socket.socket | None) -> None:
    """Make the coming close a reset: the peer can't take it for the proper end of what it reads."""
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
