"""Callers' addresses behind reverse proxies: believed of trusted ones only, and never what callers write themselves."""

from ipaddress import ip_network

import pytest
from http_kit import get, wire
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from unigate.http.asgi import run_asgi
from unigate.http.exchange import Exchange
from unigate.http.proxies import Callers, behind

TRUSTED = [ip_network(text) for text in ("10.0.0.0/8", "192.0.2.1", "fd00::/8")]


def told(peer: str, *values: str) -> str:
    headers = [(b"host", b"a"), *((b"x-forwarded-for", value.encode("latin-1")) for value in values)]
    return Callers(TRUSTED).of(peer, headers)


@pytest.mark.parametrize("peer", ["203.0.113.1", "2001:db8::1", "11.0.0.1", "192.0.2.2", "", "garbage", "fe80::1%lo"])
def test_others_are_not_believed(peer: str) -> None:
    assert told(peer, "198.51.100.7") == peer
    assert told(peer, "10.0.0.1, 198.51.100.7", "10.0.0.2") == peer


@pytest.mark.parametrize(
    ("values", "caller"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        (["10.9.9.9,1.1.1.1,198.51.100.7,10.0.0.3,192.0.2.1"], "198.51.100.7"),
        (["1.1.1.1", "198.51.100.7", "10.0.0.3"], "198.51.100.7"),
        (["198.51.100.7, ", "", " , 10.0.0.3"], "198.51.100.7"),
        (["10.0.0.9, 10.0.0.3"], "10.0.0.9"),
        (["2001:DB8:0::7"], "2001:db8::7"),
        (["[2001:db8::7]:4711, [fd00::1]"], "2001:db8::7"),
        (["2001:db8::7, fd00::2"], "2001:db8::7"),
        (["::ffff:198.51.100.7, ::ffff:10.0.0.3"], "198.51.100.7"),
        (["fe80::7%eth0"], "fe80::7"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
    ],
)
def test_the_right_most_untrusted_address_is_the_callers(values: list[str], caller: str) -> None:
    assert told("10.0.0.1", *values) == caller


@pytest.mark.parametrize(
    "garbage",
    [
        "unknown", "_hidden", "198.51.100", "198.51.100.7.7", "198.51.100.7:", "198.51.100.7:x", "[2001:db8::7",
        "[2001:db8::7]x", "[2001:db8::7]:", "[198.51.100.7]:x", "1", "010.0.0.1", "ad\xe9le", "10.0.0.0/8", "::1::1", "%", ":", "[]",
        "198.51.100.7 198.51.100.8", '"198.51.100.7"',
    ],
)  # fmt: skip
def test_what_is_no_address_ends_the_list(garbage: str) -> None:
    assert told("10.0.0.1", garbage) == "10.0.0.1"
    assert told("10.0.0.1", f"198.51.100.7, {garbage}, 10.0.0.3") == "10.0.0.3"
    assert told("10.0.0.1", f"{garbage}, 198.51.100.7") == "198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "caller"),
    [("::ffff:10.0.0.1", "198.51.100.7"), ("fd00::5", "198.51.100.7"), ("::ffff:11.0.0.1", "::ffff:11.0.0.1")],
)
def test_a_proxy_may_be_reached_by_either_kind_of_address(peer: str, caller: str) -> None:
    assert told(peer, "198.51.100.7") == caller


def test_a_list_of_any_length_is_read() -> None:
    assert told("10.0.0.1", "198.51.100.7," + "10.0.0.3," * 7000) == "198.51.100.7"


async def _show(x: Exchange) -> None:
    x.reply(200, (), x.client.encode())


def test_without_trusted_proxies_nothing_stands_between() -> None:
    assert behind((), _show) is _show


async def _client(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


@pytest.mark.parametrize("kind", ["relay", "asgi"])
@pytest.mark.parametrize(("network", "believed"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
async def test_each_request_of_a_connection_has_its_own_caller(kind: str, network: str, *, believed: bool) -> None:
    app = Starlette(routes=[Route("/", _client)])

    async def serve(x: Exchange) -> None:
        await (_show(x) if kind == "relay" else run_asgi(app, x))

    async with wire(behind([ip_network(network)], serve)) as w:
        caller = await w.connect()
        seen = []
        for header in (b"X-Forwarded-For: 1.1.1.1, 198.51.100.7", b"X: y", b"x-forwarded-for: 2001:db8::9"):
            await caller.send(get(b"/", header))
            seen.append((await caller.reply()).body.decode())
        assert seen == (["198.51.100.7", "127.0.0.1", "2001:db8::9"] if believed else ["127.0.0.1"] * 3)
