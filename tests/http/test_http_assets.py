"""Files of tasks over real HTTP: signed links, ranges, what the caller has already, and files that only the provider has."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from support.gallery import FILM, PICTURE, Gallery, gallery
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.live_settings import AssetSettings
from unigate.http.app import render_wire
from unigate.http.assets import with_files
from unigate.http.exchange import Exchange
from unigate.http.listen import listen
from unigate.http.serving import Server
from unigate.relay.files import Files
from unigate.spec.task import Asset
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.tasks.assets import Links
from unigate.upstream import Client

SECRET = "secret-of-the-gateway-of-this-test"
ROW = AssetRow(
    id="ast_1",
    task_id="1730000000000123",
    user_id="usr_1",
    kind="image",
    media_type="image/png",
    source="",
    private=True,
    place=0,
    state="remote",
)


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body


class House:
    """A server with files, and a vendor behind it."""

    def __init__(self, db: Database, folder: Path, vendor: Gallery, client: Client) -> None:
        self.db = db
        self.vendor = vendor
        self.storages = Storages("file:///assets", data=folder, aws={})
        self.links = Links(SECRET)
        self.files = Files(db, client, self.storages, lambda: AssetSettings(file_bytes=20_000_000))
        self.server = Server(with_files(self.files, self.links, self.other), render_wire, sweep_period=0.05)
        self.base = ""

    async def other(self, x: Exchange) -> None:
        x.reply(200, (), b"other")

    async def keep(self, body: bytes, kind: str, **more: object) -> AssetRow:
        """A file in our storage."""
        path = "2026/11/t/ast_1"
        stored = await self.storages.open().put(path, once(body), most=1 << 30)
        row = replace(ROW, state="kept", store=self.storages.name, path=path, size=stored.size, digest=stored.digest)
        return await self.add(replace(row, media_type=kind, **more))  # type: ignore[arg-type]

    async def add(self, row: AssetRow) -> AssetRow:
        async with self.db.writing() as tx:
            await rows.add(tx, [row])
        return row

    async def remote(self, path: str, **more: object) -> AssetRow:
        """A file that the vendor has."""
        return await self.add(replace(ROW, media_type="", source=self.vendor.url(path), **more))  # type: ignore[arg-type]

    def link(self, row: AssetRow) -> str:
        return self.links.link(replace(row.asset, kept=True), self.base)

    async def get(self, row: AssetRow, method: str = "GET", **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.request(method, self.link(row), headers=given)


@pytest.fixture
async def house(sqlite_url: str, opening: Callable[..., Database], tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(gallery())
        client = Client()
        stack.push_async_callback(client.close)
        made = House(opening(sqlite_url), tmp_path, vendor, client)
        await made.server.start(listen("127.0.0.1", 0))
        host, port = made.server.addresses[0][:2]
        made.base = f"http://{host}:{port}"
        yield made
        vendor.gate.set()
        await made.server.drain(5)


async def test_a_kept_file_comes_whole_with_its_type(house: House) -> None:
    row = await house.keep(PICTURE, "image/png")
    got = await house.get(row)
    assert (got.status_code, got.content) == (200, PICTURE)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-length"] == str(len(PICTURE))
    assert got.headers["cache-control"].startswith("private")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["content-disposition"] == 'inline; filename="1730000000000123-1.png"'
    assert hashlib.sha256(PICTURE).hexdigest().startswith(got.headers["etag"].strip('"'))
    assert "content-security-policy" not in got.headers


async def test_head_says_the_same_and_sends_nothing(house: House) -> None:
    row = await house.keep(FILM, "video/mp4")
    got = await house.get(row, "HEAD")
    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", str(len(FILM)))


async def test_it_may_be_saved_under_a_name(house: House) -> None:
    row = await house.keep(FILM, "video/mp4", place=2)
    async with httpx.AsyncClient() as client:
        got = await client.get(house.link(row) + "&download=1")
    assert got.headers["content-disposition"] == 'attachment; filename="1730000000000123-3.mp4"'


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=1000000-1999999", 1_000_000, 2_000_000),
        ("bytes=3000000-", 3_000_000, len(FILM)),
        ("bytes=-5", len(FILM) - 5, len(FILM)),
        ("bytes=0-", 0, len(FILM)),
        ("bytes=100-99999999999", 100, len(FILM)),
        ("bytes=-99999999999", 0, len(FILM)),
    ],
)
async def test_one_range_is_served(house: House, asked: str, start: int, stop: int) -> None:
    got = await house.get(await house.keep(FILM, "video/mp4"), range=asked)
    assert got.status_code == 206
    assert got.content == FILM[start:stop]
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(FILM)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-9", "bytes=9-5", "bytes=-", "bytes=a-b", "lines=1-2", "bytes"])
async def test_several_ranges_and_what_is_none_give_all_of_it(house: House, asked: str) -> None:
    got = await house.get(await house.keep(PICTURE, "image/png"), range=asked)
    assert (got.status_code, got.content) == (200, PICTURE)


@pytest.mark.parametrize("asked", [f"bytes={len(FILM)}-", "bytes=-0", f"bytes={len(FILM) + 5}-{len(FILM) + 9}"])
async def test_a_range_behind_the_end_is_not_there(house: House, asked: str) -> None:
    got = await house.get(await house.keep(FILM, "video/mp4"), range=asked)
    assert (got.status_code, got.headers["content-range"]) == (416, f"bytes */{len(FILM)}")
    assert got.json()["error"]["code"] == "range_not_satisfiable"


async def test_what_the_caller_has_is_not_sent_again(house: House) -> None:
    row = await house.keep(PICTURE, "image/png")
    tag = (await house.get(row)).headers["etag"]
    for said in (tag, f'"other", W/{tag}', "*"):
        got = await house.get(row, if_none_match=said)
        assert (got.status_code, got.content, got.headers["etag"]) == (304, b"", tag)
    assert (await house.get(row, if_none_match='"other"')).status_code == 200


async def test_a_range_goes_on_only_with_the_same_file(house: House) -> None:
    row = await house.keep(PICTURE, "image/png")
    tag = (await house.get(row)).headers["etag"]
    same = await house.get(row, range="bytes=5-", if_range=tag)
    other = await house.get(row, range="bytes=5-", if_range='"other"')
    weak = await house.get(row, range="bytes=5-", if_range=f"W/{tag}")
    assert [one.status_code for one in (same, other, weak)] == [206, 200, 200]


@pytest.mark.parametrize(("kind", "body"), [("text/html", b"<html><script>1</script>"), ("image/svg+xml", b"<svg/>")])
async def test_what_could_run_scripts_is_sandboxed(house: House, kind: str, body: bytes) -> None:
    got = await house.get(await house.keep(body, kind))
    assert "sandbox" in got.headers["content-security-policy"]
    assert "default-src 'none'" in got.headers["content-security-policy"]


async def test_forged_links_are_refused(house: House) -> None:
    row = await house.keep(PICTURE, "image/png")
    other = await house.add(replace(row, id="ast_2"))
    parts = urlsplit(house.link(row))
    asked = dict(parse_qsl(parts.query))
    foreign = dict(parse_qsl(urlsplit(Links("another secret").link(replace(row.asset, kept=True), "")).query))
    wrong = [
        "",
        urlencode({**asked, "sig": asked["sig"][:-1] + ("A" if asked["sig"][-1] != "A" else "B")}),
        urlencode({**asked, "sig": asked["sig"][:-1]}),
        urlencode({**asked, "until": str(int(asked["until"]) + 1)}),
        urlencode({**asked, "sig": "\u00e9"}),
        urlencode({"until": asked["until"]}),
        urlencode(foreign),
    ]
    async with httpx.AsyncClient() as client:
        for query in wrong:
            got = await client.get(f"{house.base}{parts.path}?{query}")
            assert (got.status_code, got.json()["error"]["code"]) == (403, "invalid_signature"), query
        assert (await client.get(f"{house.base}/files/{other.id}.png?{parts.query}")).status_code == 403
        # What stands behind the dot is for people and programs that go by names.
        assert (await client.get(f"{house.base}/files/{row.id}.mp4?{parts.query}")).status_code == 200


async def test_links_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await house.keep(PICTURE, "image/png")
    link = house.link(row)
    later = now_ms() + 24 * 3600 * 1000
    monkeypatch.setattr("unigate.tasks.assets.now_ms", lambda: later - 60_000)
    async with httpx.AsyncClient() as client:
        assert (await client.get(link)).status_code == 200
        monkeypatch.setattr("unigate.tasks.assets.now_ms", lambda: later + 60_000)
        got = await client.get(link)
    assert (got.status_code, got.json()["error"]["code"]) == (410, "link_ended")


async def test_unknown_and_deleted_files(house: House) -> None:
    deleted = await house.add(replace(ROW, state="deleted"))
    assert (await house.get(deleted)).status_code == 410
    assert (await house.get(replace(ROW, id="ast_nobody"))).status_code == 404
    async with httpx.AsyncClient() as client:
        for path in ("/files/", "/files/a/b", "/files/..%2Fsecret", f"/files/{'a' * 200}"):
            assert (await client.get(house.base + path)).status_code == 404, path
        assert (await client.get(f"{house.base}/file")).text == "other"
        got = await client.post(f"{house.base}/files/ast_1.png")
        assert (got.status_code, got.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_scripts_of_other_sites_may_fetch(house: House) -> None:
    row = await house.keep(PICTURE, "image/png")
    got = await house.get(row, origin="https://app.example")
    assert got.headers["access-control-allow-origin"] == "*"
    assert (await house.get(row, "OPTIONS", origin="https://app.example")).status_code == 204


async def test_a_file_that_only_the_provider_has_passes_through(house: House) -> None:
    row = await house.remote("/film.mp4", kind="video")
    got = await house.get(row)
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, FILM, "video/mp4")
    part = await house.get(row, range="bytes=100-199")
    assert (part.status_code, part.content) == (206, FILM[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(FILM)}"
    assert (await house.get(row, "HEAD")).headers["content-length"] == str(len(FILM))
    whole = await house.get(row, range="bytes=0-1,5-9")
    assert (whole.status_code, len(whole.content)) == (200, len(FILM))


@pytest.mark.parametrize("state", ["waiting", "lost"])
async def test_so_does_one_that_is_not_copied_yet_or_could_not_be(house: House, state: str) -> None:
    assert (await house.get(await house.remote("/mistyped", state=state))).content == PICTURE


async def test_one_that_vanished_from_our_storage_too(house: House) -> None:
    row = await house.keep(PICTURE, "image/png", source=house.vendor.url("/picture.png"))
    await house.storages.open().delete(row.path)
    assert (await house.get(row)).content == PICTURE


@pytest.mark.parametrize(
    ("path", "status"),
    [("/gone", 502), ("/zipped", 502), ("/nothing", 502), ("/round", 502), ("/to?url=http://[", 502)],
)
async def test_a_provider_that_does_not_give_it(house: House, path: str, status: int) -> None:
    got = await house.get(await house.remote(path))
    assert got.status_code == status
    assert house.vendor.url("") not in got.text


async def test_a_private_address_is_not_fetched_for_anybody(house: House) -> None:
    got = await house.get(await house.remote("/picture.png", private=False))
    assert got.status_code == 502
    assert not house.vendor.heads


@pytest.mark.parametrize("path", ["/torn", "/endless"])
async def test_a_file_that_breaks_off_or_never_ends_is_cut(house: House, path: str) -> None:
    row = await house.remote(path, kind="video")
    with pytest.raises(httpx.RemoteProtocolError):
        await house.get(row)


async def test_nothing_is_read_ahead_of_a_slow_caller(house: House) -> None:
    """What waits is bounded by sockets' buffers and one piece, however much the provider has."""
    row = await house.remote("/endless", kind="video")
    parts = urlsplit(house.link(row))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, house.server.addresses[0])
    await loop.sock_sendall(sock, f"GET {parts.path}?{parts.query} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    await until(lambda: house.vendor.endless > 0)
    before = -1
    while before != house.vendor.endless:
        before = house.vendor.endless
        await asyncio.sleep(0.3)
    assert before < 16_000_000
    sock.close()


async def test_a_caller_who_leaves_ends_the_fetch(house: House) -> None:
    row = await house.remote("/gate", kind="video")
    async with httpx.AsyncClient() as client, client.stream("GET", house.link(row)) as got:
        assert got.status_code == 200
        await until(lambda: house.vendor.halves == 1)
    await until(lambda: not house.server.state.tasks, what="the handler's end")


async def test_a_data_url_is_served_from_the_row(house: House) -> None:
    row = await house.add(replace(ROW, media_type="", source="data:text/html,%3Cscript%3E"))
    got = await house.get(row)
    assert (got.content, got.headers["content-type"]) == (b"<script>", "text/html; charset=utf-8")
    assert "sandbox" in got.headers["content-security-policy"]
    assert (await house.get(row, range="bytes=1-3")).content == b"scr"


def test_links_are_the_provider_s_own_where_nothing_is_kept() -> None:
    asset = Asset(id="ast_1", task_id="t", kind="image", media_type="", source="https://cdn.example/a.webp?x=1")
    links = Links(SECRET, keep=False)
    assert links.link(asset, "https://ai.example") == asset.source
    assert links.link(replace(asset, kept=True), "https://ai.example").startswith(
        "https://ai.example/files/ast_1.webp?"
    )
    inline = replace(asset, source="data:image/png;base64,AA==")
    assert links.link(inline, "").startswith("/files/ast_1.bin?")


def test_another_secret_s_links_go_on_working() -> None:
    asset = Asset(id="ast_1", task_id="t", kind="image", media_type="image/png", source="", kept=True)
    old = dict(parse_qsl(urlsplit(Links("old").link(asset, "")).query))
    both = Links("new", others=["old"])
    left = both.check("ast_1", old["until"], old["sig"])
    assert 24 * 3600 - 60 < left <= 24 * 3600
