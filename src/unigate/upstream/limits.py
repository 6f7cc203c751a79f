"""ClientLimits: every bound of the client in one place. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds of one client; sizes in bytes, times in seconds."""

    #: An answer's head, interim (1xx) answers included; also what may come in a body without any body bytes.
    head_bytes: int = 64 * 1024
    headers: int = 256
    #: Interim answers before the real one.
    interim: int = 8
    #: An answer's body waits in memory up to here when nobody takes it, then reading is paused until it falls to `low`.
    high: int = 64 * 1024
    low: int = 16 * 1024
    #: Connections in all, and idle ones per endpoint.
    connections: int = 20_000
    idle_connections: int = 1024
    #: How long a connection may wait for its next request; below the 5 s after which many servers close.
    idle_seconds: float = 4.0
    #: How often deadlines are looked at, so how late a timeout may be noticed.
    sweep_seconds: float = 0.5
    #: How long an address found for a name is used.
    dns_seconds: float = 30.0
    #: Names that are looked up at once; 0: as many as are asked for. A loop has few threads for it, shared by all clients.
    lookups: int = 0
    #: Happy eyeballs: how long before the next address is tried beside the first.
    next_address_seconds: float = 0.25
    #: Request heads that are kept; a configuration has far fewer, and who sends none twice needs none.
    kept_heads: int = 10_000
