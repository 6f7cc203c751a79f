"""The table of operations, compiled at start: what is not in it is not found."""

import re
from collections.abc import Iterable, Mapping

from unigate.base.errors import MethodNotAllowed, NotFound
from unigate.spec.operation import Operation

Match = tuple[Operation, Mapping[str, str]]
_NO_PARAMS: Mapping[str, str] = {}
_PLACE = re.compile(r"\{(\w+)(:path)?\}")


class Table:
    """Operations by method and path; literal paths by one look-up, templates in order for what is none of these."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._literal: dict[bytes, dict[bytes, Match]] = {}
        self._templates: list[tuple[re.Pattern[bytes], bytes, Operation]] = []
        #: First segment of paths -> an operation of the family that alone has paths there, None where there are several.
        self._families: dict[bytes, Operation | None] = {}
        for operation in self.operations:
            if operation.within:
                continue
            for path in (operation.path, *operation.aliases):
                self._add(operation, path)

    def _add(self, operation: Operation, path: str) -> None:
        method = operation.method.encode()
        first = _first(path.encode())
        known = self._families.setdefault(first, operation)
        if known is None or known.family != operation.family:
            self._families[first] = None
        if "{" in path:
            pattern = re.compile(_pattern(path).encode())
            self._templates.append((pattern, method, operation))
            return
        methods = self._literal.setdefault(path.encode(), {})
        if method in methods:
            raise ValueError(f"two operations at {operation.method} {path}")
        methods[method] = (operation, _NO_PARAMS)

    def find(self, method: bytes, path: bytes) -> Match | None:
        """The operation that serves this call; None where nothing is at that path; MethodNotAllowed."""
        methods = self._literal.get(path)
        if methods is not None and (found := methods.get(method)) is not None:
            return found
        at_path = self._at(path)
        if not at_path:
            return None
        if method == b"HEAD" and b"GET" in at_path:
            return at_path[b"GET"]
        if method in at_path:
            return at_path[method]
        allowed = b", ".join(sorted(at_path))
        raise MethodNotAllowed(
            f"Not allowed to {method.decode('ascii', 'replace')} on {path.decode('ascii', 'replace')}.",
            headers=((b"allow", allowed),),
        )

    def methods(self, path: bytes) -> tuple[bytes, ...]:
        """All methods served at a path, for preflights; empty where there is nothing."""
        return tuple(self._at(path))

    def family(self, path: bytes) -> Operation | None:
        """An operation of the family below whose paths this one stands, whether anything is there or not: it has words for errors."""
        return self._families.get(_first(path))

    def _at(self, path: bytes) -> dict[bytes, Match]:
        if (literal := self._literal.get(path)) is not None:
            return literal
        found: dict[bytes, Match] = {}
        for pattern, method, operation in self._templates:
            if method not in found and (match := pattern.fullmatch(path)):
                params = {name: value.decode("ascii", "replace") for name, value in match.groupdict().items()}
                found[method] = (operation, params)
        return found


def _first(path: bytes) -> bytes:
    return path.split(b"/", 2)[1] if path.startswith(b"/") else path


def unknown(method: bytes, path: bytes) -> NotFound:
    """The error for a path that nothing is at."""
    where = f"{method.decode('ascii', 'replace')} {path.decode('ascii', 'replace')}"
    return NotFound(f"Unknown request URL: {where}.", code="unknown_url")


def _pattern(path: str) -> str:
    """A path template as a regular expression: `{name}` is one segment, `{name:path}` the rest."""
    out, at = "", 0
    for place in _PLACE.finditer(path):
        out += re.escape(path[at : place.start()])
        out += f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})"
        at = place.end()
    return out + re.escape(path[at:])
