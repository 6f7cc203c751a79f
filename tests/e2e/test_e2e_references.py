"""Responses that name what a provider keeps (conversations, vector stores): they go there, with their files, and nowhere else."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from sqlalchemy import select

from support.postgres import run
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms
from unigate.spec.binding import Binding
from unigate.store import bindings
from unigate.store.file_tables import file_copies
from unigate.store.open import connect

CONFIG = """
channels:
  - {name: one, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-kept-one, models: [gpt-4o], priority: 9}
  - {name: two, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-kept-two, models: [gpt-4o-mini, gpt-4o]}
prices: [{model: "*", input: 1, output: 2}]
users: [{name: alice, credit: 1000}, {name: bob, credit: 1000}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
"""
BOB = "sk-bob-0123456789"
NOTES = b"The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn. "
QUESTION = "What is the lighthouse keeper called?"


class Kept:
    """A stage with a file that has a copy at each channel, by which the test knows where the channels are."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sdk = openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=60)
        self.file = self.sdk.files.create(file=("notes.txt", NOTES + mark().encode()), purpose="user_data").id
        self.copies = {model: self._copy(model) for model in ("gpt-4o", "gpt-4o-mini")}

    def _copy(self, model: str) -> tuple[str, str, str]:
        """Have the file copied where a model is: the copy's id, and its channel and credential."""
        known = {row[0] for row in self._rows()}
        self.sdk.responses.create(model=model, input=self.asked())
        (row,) = [row for row in self._rows() if row[0] not in known]
        return row[0], row[1], row[2]

    def _rows(self) -> list[tuple[Any, ...]]:
        async def read() -> list[tuple[Any, ...]]:
            database = connect(f"sqlite:///{self.stage.data / 'unigate.db'}")
            columns = file_copies.c
            try:
                async with database.reading() as tx:
                    return await tx.all(
                        select(columns.upstream_id, columns.channel_id, columns.credential_id).where(
                            columns.file_id == self.file
                        )
                    )
            finally:
                await database.close()

        return run(read())

    def asked(self, question: str = QUESTION) -> list[Any]:
        parts = [{"type": "input_text", "text": question}, {"type": "input_file", "file_id": self.file}]
        return [{"role": "user", "content": parts}]

    def vendor(self, account: str, path: str, **body: Any) -> str:
        """Make something at the vendor itself; its id."""
        head = {"authorization": f"Bearer {account}"}
        made = httpx.post(f"{self.stage.sandbox.url}/openai/v1{path}", headers=head, json=body, timeout=30)
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    def bind(self, kind: str, id: str, model: str, user: str = "alice") -> str:
        """Say that something belongs to a user and lies where a model is."""
        (user_id,) = [one["id"] for one in self.stage.manage("user", "list") if one["name"] == user]
        _, channel, credential = self.copies[model]
        binding = Binding(
            kind=kind,
            public_id=id,
            upstream_id=id,
            channel_id=channel,
            credential_id=credential,
            user_id=user_id,
            model="",
            created_at=now_ms(),
        )

        async def write() -> None:
            database = connect(f"sqlite:///{self.stage.data / 'unigate.db'}")
            try:
                async with database.writing() as tx:
                    assert await bindings.add(tx, binding)
            finally:
                await database.close()

        run(write())
        return id

    def store(self, account: str, model: str) -> str:
        """A vector store with the copy in it."""
        id = self.vendor(account, "/vector_stores", file_ids=[self.copies[model][0]])
        head = {"authorization": f"Bearer {account}"}
        where = f"{self.stage.sandbox.url}/openai/v1/vector_stores/{id}"
        wait_until(lambda: httpx.get(where, headers=head).json()["status"] == "completed", what="the file is read")
        return self.bind("vector_store", id, model)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Kept]:
    stage = set_stage(tmp_path_factory.mktemp("references"), vendors, CONFIG)
    made = Kept(stage)
    yield made
    made.sdk.close()
    stage.settled()
    stage.sound()
    stage.stop()


def test_a_conversation_goes_on_where_it_is(kept: Kept) -> None:
    id = kept.bind("conversation", kept.vendor("sk-kept-two", "/conversations"), "gpt-4o-mini")
    word = mark()
    kept.sdk.responses.create(model="gpt-4o", input=f'say "noted" {word}', conversation=id)
    raw = kept.sdk.responses.with_raw_response.create(
        model="gpt-4o", input=kept.asked(f"{QUESTION} {word}"), conversation={"id": id}
    )
    made = raw.parse()
    assert "Wilhelmina" in made.output_text, "a file is copied to where the call must go"
    assert made.conversation and made.conversation.id == id
    assert kept.stage.row(raw.headers["x-request-id"])["channel_id"] == kept.copies["gpt-4o-mini"][1]


def test_a_search_tells_our_ids(kept: Kept) -> None:
    store = kept.store("sk-kept-one", "gpt-4o")
    tool: Any = {"type": "file_search", "vector_store_ids": [store]}
    more: Any = {"tools": [tool], "include": ["file_search_call.results"]}
    made = kept.sdk.responses.create(model="gpt-4o", input=QUESTION, **more)
    text = made.model_dump_json()
    assert kept.file in text and kept.copies["gpt-4o"][0] not in text
    with kept.sdk.responses.with_streaming_response.create(model="gpt-4o", input=QUESTION, stream=True, **more) as raw:
        events = raw.read().decode()
    assert "response.completed" in events
    assert kept.file in events and kept.copies["gpt-4o"][0] not in events
    again = kept.sdk.responses.create(model="gpt-4o", input="Thanks", previous_response_id=made.id)
    assert again.output_text
    got = kept.sdk.responses.retrieve(made.id).model_dump_json()
    assert kept.file in got and kept.copies["gpt-4o"][0] not in got
    items: Any = [one.to_dict() for one in made.output]
    sent = [*items, {"role": "user", "content": "And then?"}]
    assert kept.sdk.responses.create(model="gpt-4o", input=sent).output_text, "what was told may be sent back"


def test_what_lies_in_different_places_cannot_be_used_together(kept: Kept) -> None:
    store = kept.store("sk-kept-one", "gpt-4o")
    id = kept.bind("conversation", kept.vendor("sk-kept-two", "/conversations"), "gpt-4o-mini")
    word = mark()
    tool: Any = {"type": "file_search", "vector_store_ids": [store]}
    for more in ({"conversation": id}, {"previous_response_id": _at_two(kept)}):
        with pytest.raises(openai.BadRequestError, match="kept in different places"):
            kept.sdk.responses.create(model="gpt-4o", input=word, tools=[tool], extra_body=more)
    with pytest.raises(openai.NotFoundError, match="not served where the vector store is kept"):
        kept.sdk.responses.create(model="gpt-4o-mini", input=word, tools=[tool])
    assert not kept.stage.received(word)


def test_what_is_anothers_is_unknown(kept: Kept) -> None:
    store, word = kept.store("sk-kept-one", "gpt-4o"), mark()
    id = kept.bind("conversation", kept.vendor("sk-kept-two", "/conversations"), "gpt-4o-mini")
    hidden = b'{"model":"gpt-4o","input":"%b","tools":[{"type":"file_search","vector\\u005fstore_ids":["%b"]}]}'
    before = kept.stage.settled(BOB)["used"]
    head = {"authorization": f"Bearer {BOB}", "content-type": "application/json"}
    bodies = [
        hidden % (word.encode(), store.encode()),
        b'{"model":"gpt-4o","input":"%b","conversation":"%b"}' % (word.encode(), id.encode()),
    ]
    for body in bodies:
        reply = httpx.post(f"{kept.stage.base}/responses", content=body, headers=head, timeout=30)
        assert reply.status_code == 404 and "not found" in reply.json()["error"]["message"]
    for id in ("\0", "x" * 5000):
        asked = {"model": "gpt-4o", "input": word, "conversation": id}
        reply = httpx.post(f"{kept.stage.base}/responses", json=asked, headers=head, timeout=30)
        assert reply.status_code == 404, reply.text
    assert not kept.stage.received(word)
    assert kept.stage.settled(BOB)["used"] == before


def _at_two(kept: Kept) -> str:
    return kept.sdk.responses.create(model="gpt-4o-mini", input="Hello").id
