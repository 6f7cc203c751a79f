"""Options of the sandbox."""

from dataclasses import dataclass

from unigate.base.money import NANO


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the sandbox behaves, whatever a single call asks of it."""

    #: Pace of streams; 0: as fast as the caller reads.
    tokens_per_second: float = 200.0
    #: How many times as fast as usual tasks are done; 1: in a few seconds.
    task_speed: float = 1.0
    #: How many requests the log keeps, how many bytes of one body, and how many bytes of bodies in all.
    keep_requests: int = 10_000
    keep_body: int = 64 * 1024
    keep_bytes: int = 32 * 1024 * 1024
    #: How many bytes of files made by tasks are kept.
    keep_files: int = 200 * 1024 * 1024
    #: The largest body that is accepted, in bytes.
    max_body: int = 64 * 1024 * 1024
    #: Nano-USD that each key's account was granted (dashboard billing).
    granted: int = 100 * NANO
