"""Structured logs on standard error, without secrets and prompts."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

_SECRET = re.compile(r"(?i)\b(sk-|ses_|bearer\s+|key\s+|token\s+|password=|api[-_]key[=:]\s*)[^\s\"',&]{4,}")
#: Fields whose value is never shown, whatever it is.
_HIDDEN = frozenset({"authorization", "secret", "password", "credential", "api_key", "body", "prompt"})


class _Lenient:
    """A stream that loses what it cannot write: a full disk under the log must not fail a call, nor what watches it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str = "info", *, json: bool = True) -> None:
    """Set up logging for this process: JSON lines, or readable ones on a terminal."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            hide_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lenient(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: blank out what looks like a secret, in every text field."""
    for name, value in event.items():
        if name in _HIDDEN:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = redact(value)
    return event


def redact(text: str) -> str:
    """`text` with everything that looks like a secret replaced."""
    return _SECRET.sub(lambda match: match[1] + "***", text)
