"""What counts as an address that can be fetched or called."""

import pytest

from unigate.dialects.addresses import plain


@pytest.mark.parametrize(
    "told", ["http://a", "https://a.example:8443/b?c=d#e", "HTTP://[::1]:80/", "https://u:p@a.example/"]
)
def test_addresses(told: str) -> None:
    assert plain(told)


@pytest.mark.parametrize(
    "told",
    [
        None,
        5,
        ["http://a"],
        "",
        "a.example",
        "//a",
        "ftp://a",
        "file:///etc/x",
        "http://",
        "http://:80",
        "http://a:0",
        "http://a:99999",
        "http://a:x",
        "http://[::1",
        "http://a/\n",
        "http://a/\u2028",
        "javascript:alert(1)",
    ],
)
def test_what_is_none(told: object) -> None:
    assert not plain(told)


def test_nobodys_name_stands_before_the_host_where_that_matters() -> None:
    assert plain("https://a.example/@b", login=False)
    assert not plain("https://u@a.example/", login=False)
