"""The table of operations, where keys are found, and the rules for other origins."""

from dataclasses import dataclass, field, replace

import pytest

from unigate.base.errors import MethodNotAllowed
from unigate.http import cors
from unigate.http.presented import presented_key
from unigate.http.table import Table
from unigate.spec.operation import Operation


def operation(name: str, method: str, path: str, *aliases: str) -> Operation:
    return Operation(name=name, method=method, path=path, dialect="openai_chat", family="f", aliases=aliases)


TABLE = Table(
    (
        operation("list", "GET", "/v1/things", "/things", "/things/"),
        operation("make", "POST", "/v1/things"),
        operation("one", "GET", "/v1/things/{id}"),
        operation("drop", "DELETE", "/v1/things/{id}"),
        operation("make-two", "POST", "/v1/things/pair"),
        operation("rest", "GET", "/v1/files/{name:path}"),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "name", "params"),
    [
        (b"GET", b"/v1/things", "list", {}),
        (b"HEAD", b"/v1/things", "list", {}),
        (b"GET", b"/things/", "list", {}),
        (b"POST", b"/v1/things", "make", {}),
        (b"GET", b"/v1/things/a.b-c", "one", {"id": "a.b-c"}),
        (b"DELETE", b"/v1/things/x", "drop", {"id": "x"}),
        (b"HEAD", b"/v1/things/x", "one", {"id": "x"}),
        (b"GET", b"/v1/files/a/b/c", "rest", {"name": "a/b/c"}),
    ],
)
def test_finding(method: bytes, path: bytes, name: str, params: dict[str, str]) -> None:
    found = TABLE.find(method, path)
    assert found is not None
    assert found[0].name == name
    assert found[1] == params


@pytest.mark.parametrize("path", [b"/", b"/v1", b"/v1/things/", b"/v1/things/a/b", b"/v1/files/", b"/V1/things"])
def test_nothing_there(path: bytes) -> None:
    assert TABLE.find(b"GET", path) is None
    assert TABLE.methods(path) == ()


def test_another_method() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.find(b"PATCH", b"/v1/things/x")
    assert refused.value.headers == ((b"allow", b"DELETE, GET"),)
    assert set(TABLE.methods(b"/v1/things")) == {b"GET", b"POST"}


def test_a_literal_path_is_no_place_of_a_template() -> None:
    for method in (b"GET", b"HEAD", b"DELETE"):
        with pytest.raises(MethodNotAllowed) as refused:
            TABLE.find(method, b"/v1/things/pair")
        assert refused.value.headers == ((b"allow", b"POST"),)
    assert TABLE.methods(b"/v1/things/pair") == (b"POST",)


def test_two_at_one_place() -> None:
    with pytest.raises(ValueError, match="two operations at GET /x"):
        Table((operation("a", "GET", "/x"), operation("b", "GET", "/y", "/x")))


@dataclass
class Head:
    """What is looked at of a request."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    query: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The value of a header."""
        return self.fields.get(name)


@pytest.mark.parametrize(
    ("fields", "query", "key"),
    [
        ({b"authorization": b"Bearer sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"bearer  sk-1 "}, b"", b"sk-1"),
        ({b"authorization": b"Key sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"Token sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"Basic c2stMQ=="}, b"", None),
        ({b"authorization": b"Bearer"}, b"", None),
        ({b"authorization": b"Bearer "}, b"", None),
        ({b"x-goog-api-key": b" sk-1 "}, b"", b"sk-1"),
        ({b"mj-api-secret": b"sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"midjourney-proxy", b"mj-api-secret": b"sk-1"}, b"", b"sk-1"),
        ({b"authorization": b"midjourney-proxy"}, b"", None),
        ({}, b"key=sk-1&x=2", b"sk-1"),
        ({}, b"token=sk%2D1", b"sk-1"),
        ({}, b"other=1", None),
        ({}, b"", None),
    ],
)
def test_where_keys_are_found(fields: dict[bytes, bytes], query: bytes, key: bytes | None) -> None:
    assert presented_key(Head(fields, query)) == key


def test_preflights() -> None:
    told = dict(cors.preflight((b"POST", b"GET"), b"x-one, x-two"))
    assert told[b"access-control-allow-methods"] == b"GET, POST"
    assert told[b"access-control-allow-headers"] == b"x-one, x-two"
    assert dict(cors.preflight((b"GET",), None))[b"access-control-allow-headers"]
    assert b"x-unigate-cost" in dict(cors.ANSWER)[b"access-control-expose-headers"]


def test_a_path_that_nothing_is_at_belongs_to_the_family_that_alone_is_there() -> None:
    of = (("song", "/song/a"), ("song", "/song/{id}/b"), ("one", "/v1/a"), ("two", "/v1/b"), ("one", "/v1/c"))
    table = Table([replace(operation(path, "GET", path), family=family) for family, path in of])
    for path in (b"/song/nothing", b"/song", b"/song//a"):
        found = table.family(path)
        assert found is not None and found.family == "song"
    for path in (b"/v1/nothing", b"/songs", b"/", b"*", b""):
        assert table.family(path) is None
