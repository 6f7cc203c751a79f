"""Channels: what goes in comes out for routing only, never to be shown; doctor, demo and the channel test."""

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.base.settings import ChannelEntry, PriceEntry, Secret, Url
from unigate.manage import channels, demo, doctor, keys, live, prices, users
from unigate.manage.channel_rows import shown_options
from unigate.manage.channel_test import try_channel
from unigate.manage.desk import Desk
from unigate.manage.load import load_channels
from unigate.providers import catalogue
from unigate.spec.provider import Provider
from unigate.store.database import Database

SECRET = "a secret that is long enough"
ENTRY = ChannelEntry(
    name="main",
    provider="openai_compatible",
    base_url=Url("http://127.0.0.1:9/v1/"),
    credentials=[Secret("sk-upstream-one"), Secret("sk-upstream-two")],
    models=["a", "b"],
    options={"headers": {"x-team": "hidden"}, "region": "eu"},
)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret=SECRET, providers=catalogue())


async def test_what_is_shown_holds_no_secret(desk: Desk) -> None:
    made = await channels.create_channel(desk, ENTRY)
    (listed,) = await channels.list_channels(desk)
    assert listed == await channels.show_channel(desk, "main") == made
    assert "hidden" not in repr(made) and "sk-upstream" not in repr(made)
    assert [c.last4 for c in made.credentials] == ["-one", "-two"]
    assert (made.models, made.timeouts["connect"]) == ({"a": "a", "b": "b"}, 5.0)
    assert made.options == {"headers": {"x-team": "***"}, "region": "eu"}
    (loaded,) = await load_channels(desk.db, desk.vault, desk.providers)
    assert [c.secret for c in loaded.credentials] == ["sk-upstream-one", "sk-upstream-two"]
    assert (loaded.base_url, loaded.options["headers"]) == ("http://127.0.0.1:9/v1", {"x-team": "hidden"})


def test_secrets_in_options_are_blanked() -> None:
    shown = shown_options({"proxy": "socks5://me:pw@host:1", "client_secret": "x", "api_version": "1", "n": 1})
    assert shown == {"proxy": "socks5://***@host:1", "client_secret": "***", "api_version": "1", "n": 1}


async def test_a_change_keeps_what_it_does_not_name(desk: Desk) -> None:
    made = await channels.create_channel(desk, ENTRY)
    changed = await channels.set_channel(desk, "main", {"priority": 5, "options": {"region": None, "zone": "b"}})
    assert replace(changed, priority=0, options=made.options) == made
    assert changed.options == {"headers": {"x-team": "***"}, "zone": "b"}
    changed = await channels.set_channel(desk, "main", {}, credentials=["sk-upstream-two", {"key": "k", "secret": "s"}])
    assert changed.credentials[0].id == made.credentials[1].id
    (loaded,) = await load_channels(desk.db, desk.vault, desk.providers)
    assert [c.secret for c in loaded.credentials] == ["sk-upstream-two", "s"]
    refused: list[dict[str, Any]] = [
        {"groups": ["nobody"]},
        {"groups": []},
        {"provider": "nope"},
        {"name": "x"},
        {"x": 1},
    ]
    refused += [{"base_url": Url("http://u:p@h")}, {"base_url": None}, {"options": {"proxy": "ftp://x"}}]
    for changes in refused:
        with pytest.raises(BadRequest):
            await channels.set_channel(desk, "main", changes)
    with pytest.raises(Conflict):
        await channels.create_channel(desk, ENTRY)
    with pytest.raises(NotFound):
        await channels.set_channel(desk, "other", {})


async def test_with_another_secret_what_is_sealed_is_left_out_and_can_be_given_anew(desk: Desk) -> None:
    await channels.create_channel(desk, ENTRY)
    other = replace(desk, secret="another secret, long enough too")
    assert await load_channels(desk.db, other.vault, desk.providers) == []
    assert "unreadable" in (await channels.show_channel(other, "main")).options
    with pytest.raises(Conflict):
        await channels.set_channel(other, "main", {"priority": 1})
    plain = ChannelEntry(name="plain", provider="openai", credentials=[Secret("sk-plain")])
    await channels.create_channel(desk, plain)
    (left,) = await load_channels(desk.db, other.vault, desk.providers)
    assert (left.name, left.credentials) == ("plain", ())
    await channels.set_channel(other, "plain", {}, credentials=["sk-plain"])
    (left,) = await load_channels(desk.db, other.vault, desk.providers)
    assert [c.secret for c in left.credentials] == ["sk-plain"]


async def test_a_channel_whose_provider_is_gone_is_left_out(desk: Desk) -> None:
    await channels.create_channel(desk, ENTRY)
    assert await load_channels(desk.db, desk.vault, {}) == []


async def test_doctor_finds_what_is_wanting(desk: Desk, database_url: str, tmp_path: Path) -> None:
    async def found() -> dict[str, str]:
        return {f.about: f"{f.level}: {f.message}" for f in await doctor.examine(desk, database_url, tmp_path)}

    seen = await found()
    assert set(seen) == {"users", "channels"}
    await users.create_user(desk, "root", role="owner", password="12345678")
    await channels.create_channel(desk, ENTRY)
    await channels.create_channel(
        desk, ChannelEntry(name="bare", provider="openai", models={"fast": "x", "gpt-*": "gpt-*"})
    )
    await prices.set_price(desk, price("a"))
    seen = await found()
    assert set(seen) == {"channel bare", "model b", "model fast"}
    assert "no credential" in seen["channel bare"]
    assert seen["model b"].startswith("problem: it has no price") and "main" in seen["model b"]
    await prices.set_price(desk, price("b"))
    await channels.set_channel(desk, "bare", {"enabled": False})
    assert {about: text.partition(":")[0] for about, text in (await found()).items()} == {"channel bare": "notice"}
    await live.set_setting(desk, "allow_unpriced", value=True)
    assert (await found())["prices"].startswith("notice")
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o644)
    weak = replace(desk, secret="weak")
    problems = [f.message for f in await doctor.examine(weak, database_url, tmp_path) if f.about == "secret"]
    assert len(problems) == 3  # too short, readable by others, not this database's


async def test_doctor_tells_of_a_database_without_tables(tmp_path: Path) -> None:
    nobody = Desk(db=None, secret=SECRET)  # type: ignore[arg-type]
    (finding,) = await doctor.examine(nobody, f"sqlite:///{tmp_path}/new.db", tmp_path)
    assert (finding.level, finding.about) == ("problem", "database")
    assert not (tmp_path / "new.db").exists(), "a doctor changes nothing"
    gone = await doctor.examine(nobody, "postgresql://nobody@127.0.0.1:1/none", tmp_path / "nowhere")
    assert [finding.about for finding in gone] == ["disk", "database"]


def price(model: str) -> PriceEntry:
    return PriceEntry(model=model, input=1)


async def test_a_demo_is_the_same_each_time_and_follows_the_sandbox(desk: Desk, tmp_path: Path) -> None:
    first = await demo.prepare(desk, tmp_path, "http://127.0.0.1:1111", 1025)
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600
    assert first.api_key not in repr(first) and first.password not in repr(first)
    again = await demo.prepare(desk, tmp_path, "http://127.0.0.1:2222/", 2025)
    assert again == first
    assert (await users.show_user(desk, "demo")).balance == 100 * 10**9
    assert (await users.show_user(desk, first.email)).role == "owner"
    assert [key.user for key in await keys.list_keys(desk)] == ["demo"]
    loaded = {channel.provider.name: channel for channel in await load_channels(desk.db, desk.vault, desk.providers)}
    assert {name: channel.base_url for name, channel in loaded.items()} == {
        "openai": "http://127.0.0.1:2222/openai/v1",
        "azure_openai": "http://127.0.0.1:2222/azure",
        "deepseek": "http://127.0.0.1:2222/deepseek",
        "groq": "http://127.0.0.1:2222/groq/openai/v1",
        "cerebras": "http://127.0.0.1:2222/cerebras/v1",
        "cohere": "http://127.0.0.1:2222/cohere",
        "jina": "http://127.0.0.1:2222/jina/v1",
        "voyage": "http://127.0.0.1:2222/voyage/v1",
        "midjourney_proxy": "http://127.0.0.1:2222/midjourney",
        "replicate": "http://127.0.0.1:2222/replicate/v1",
        "suno_relay": "http://127.0.0.1:2222/suno",
        "luma": "http://127.0.0.1:2222/luma/dream-machine/v1",
        "udio_relay": "http://127.0.0.1:2222/udio",
    }
    findings = await doctor._unpriced(desk)
    assert findings == [], "the demo's models have prices"


class Vendor:
    """A provider on loopback that answers chats by what its caller's key says."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: Any, writer: Any) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                if b"sk-upstream-one" in head:
                    answer = b'{"choices": []}'
                    status = b"200 OK"
                else:
                    answer = b'{"error": {"message": "no such key: sk-upstream-two"}}'
                    status = b"401 Unauthorized"
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(answer), answer))
        except EOFError:
            writer.close()


@pytest.fixture
async def vendor() -> AsyncIterator[tuple[Vendor, str]]:
    served = Vendor()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    yield served, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    server.close()


async def test_a_channel_is_tested_with_each_credential(desk: Desk, vendor: tuple[Vendor, str]) -> None:
    served, url = vendor
    await channels.create_channel(desk, replace_entry(base_url=Url(url)))
    good, bad = await try_channel(desk, "main", allow_private=True)
    assert (good.ok, good.status, good.message) == (True, 200, "")
    assert (bad.ok, bad.status, bad.message) == (False, 401, "no such key: ***")
    assert served.heads[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"x-team: hidden" in served.heads[0]
    assert b'"model":"a"' in served.bodies[0] and b'"max_tokens":1' in served.bodies[0].replace(b" ", b"")
    await try_channel(desk, "main", model="b", allow_private=True)
    assert b'"model":"b"' in served.bodies[2]


@pytest.mark.parametrize(
    ("model", "operation", "path", "asked"),
    [
        ("text-embedding-3-small", None, b"/v1/embeddings", {"input": "ok"}),
        ("omni-moderation-latest", None, b"/v1/moderations", {"input": "ok"}),
        ("gpt-3.5-turbo-instruct", None, b"/v1/completions", {"prompt": "Say ok.", "max_tokens": 1}),
        ("bge-m3", "openai.embeddings", b"/v1/embeddings", {"input": "ok"}),
        ("gpt-4o", "openai.responses", b"/v1/responses", {"input": "Say ok.", "store": False, "max_output_tokens": 16}),
    ],
)
async def test_the_operation_fits_the_model_or_is_named(
    desk: Desk,
    vendor: tuple[Vendor, str],
    model: str,
    operation: str | None,
    path: bytes,
    asked: dict[str, object],
) -> None:
    served, url = vendor
    await channels.create_channel(desk, replace_entry(base_url=Url(url), models={"own": model}))
    good, _ = await try_channel(desk, "main", operation=operation, allow_private=True)
    assert good.ok
    assert served.heads[0].startswith(b"POST " + path + b" HTTP/1.1\r\n")
    assert msgspec.json.decode(served.bodies[0]) == {"model": model, **asked}


async def test_a_provider_without_chat_is_tested_with_what_it_speaks(desk: Desk, vendor: tuple[Vendor, str]) -> None:
    served, url = vendor
    vectors = Provider(
        name="vectors", title="Vectors", base_url=None, speaks=("openai_embeddings", "openai_moderations")
    )
    narrow = replace(desk, providers={**desk.providers, "vectors": vectors})
    await channels.create_channel(narrow, replace_entry(base_url=Url(url), provider="vectors"))
    good, _ = await try_channel(narrow, "main", allow_private=True)
    assert good.ok and served.heads[0].startswith(b"POST /v1/embeddings ")
    await try_channel(narrow, "main", operation="openai.moderations", allow_private=True)
    assert served.heads[2].startswith(b"POST /v1/moderations ")
    with pytest.raises(BadRequest, match=r"openai.embeddings, openai.moderations, not 'openai.chat'"):
        await try_channel(narrow, "main", operation="openai.chat", allow_private=True)


async def test_a_reranker_is_tested_in_its_vendor_s_form(desk: Desk, vendor: tuple[Vendor, str]) -> None:
    served, url = vendor
    entry = replace_entry(base_url=Url(url.removesuffix("/v1") + "/mode/v1"), provider="dashscope")
    await channels.create_channel(desk, entry)
    good, _ = await try_channel(desk, "main", operation="rerank", allow_private=True)
    assert good.ok
    assert served.heads[0].startswith(b"POST /api/v1/services/rerank/text-rerank/text-rerank ")
    told = msgspec.json.decode(served.bodies[0])
    assert told["input"] == {"query": "ok", "documents": ["ok"]}


async def test_a_channel_that_cannot_be_reached_or_tested_says_so(desk: Desk) -> None:
    await channels.create_channel(desk, ENTRY)
    tried = await try_channel(desk, "main", allow_private=True)
    assert [(one.ok, one.status) for one in tried] == [(False, 0), (False, 0)]
    assert "could not be reached" in tried[0].message
    with pytest.raises(NotFound):
        await try_channel(desk, "other")
    await channels.set_channel(desk, "main", {"models": "*"})
    with pytest.raises(BadRequest, match="--model"):
        await try_channel(desk, "main")
    await channels.set_channel(desk, "main", {}, credentials=[])
    with pytest.raises(BadRequest, match="no credential"):
        await try_channel(desk, "main", model="a")
    mute = {"mute": Provider(name="mute", title="Mute", base_url="http://x", speaks=())}
    speechless = replace(desk, providers={**desk.providers, **mute})
    await channels.create_channel(
        speechless, ChannelEntry(name="m", provider="mute", models=["a"], credentials=[Secret("k")])
    )
    with pytest.raises(BadRequest, match="no operation"):
        await try_channel(speechless, "m")


def replace_entry(**changes: Any) -> ChannelEntry:
    return msgspec.structs.replace(ENTRY, **changes)
