"""Addresses that callers give: which are taken, and what goes on the wire for them."""

import pytest

from unigate.base.errors import BadRequest
from unigate.tasks.addresses import LONGEST, check_address, place


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://example.com",
        "https://example.com:8443/a/b?x=1&y=%20z#part",
        "https://bücher.example/ö",
        "https://93.184.216.34/hook",
        "https://[2606:4700::1111]/hook",
        "https://example.com/" + "a" * (LONGEST - len("https://example.com/")),
    ],
)
def test_taken(url: str) -> None:
    check_address(url, False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "https://example.com\\@127.0.0.1/",
        "https://[::1",
        "https://example.com/" + "a" * LONGEST,
    ],
)
@pytest.mark.parametrize("private", [False, True])
def test_not_an_address(url: str, private: bool) -> None:
    with pytest.raises(BadRequest) as caught:
        check_address(url, private, param="notifyHook")
    assert (caught.value.code, caught.value.param) == ("invalid_callback", "notifyHook")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1:8080",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "api.localhost.",
        "127.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_private_by_itself(host: str) -> None:
    with pytest.raises(BadRequest, match="private network"):
        check_address(f"http://{host}/hook", False)
    check_address(f"http://{host}/hook", True)


def test_path_and_query_stay_as_they_are() -> None:
    def target(url: str) -> str:
        return place(url, allow_private=False).target

    assert target("https://example.com") == "/"
    assert target("https://example.com?a=1") == "/?a=1"
    assert target("https://example.com/a//b/?x=%2F&y=a+b&&=#frag") == "/a//b/?x=%2F&y=a+b&&="
    assert target("https://example.com/%zz?") == "/%zz?"
    assert target("https://example.com/ö?é") == "/%C3%B6?%C3%A9"
    where = place("HTTPS://Example.COM:8443/x", allow_private=False)
    assert (where.host, where.endpoint.port) == ("https://example.com:8443", 8443)
