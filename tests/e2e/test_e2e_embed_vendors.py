"""Embeddings of Cohere, Jina, Voyage and servers of one's own: OpenAI's form, each vendor's, and one by the other."""

import base64
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import cohere
import httpx
import pytest
import voyageai
from cohere.core.api_error import ApiError
from openai import OpenAI
from voyageai.error import VoyageError

from support.rankers import EMBEDDERS, QUIET, TOKEN, configuration
from support.stage import KEY, Stage, mark, set_stage
from support.world import Process

TEXTS = ["A cat sits on the mat", "The cat is sitting on a mat", "Stocks fell sharply"]
PICTURE = "data:image/png;base64,iVBORw0KGgo="
#: Vendors whose vectors may be asked for in Cohere's form.
BY_COHERE_S = ["cohere", "jina", "voyage", "siliconflow", "tei"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("embed"), vendors, configuration())
    yield built
    built.sound()
    assert built.stop() == 0


def post(stage: Stage, path: str, *, key: str = KEY, **body: Any) -> httpx.Response:
    return httpx.post(stage.url + path, json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)


def near(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def check_alike(rows: Sequence[Sequence[float]], length: int) -> None:
    """The first two are near each other, the third is not; all are of length one."""
    assert [len(row) for row in rows] == [length] * 3
    assert near(rows[0], rows[0]) == pytest.approx(1, abs=1e-4)
    assert near(rows[0], rows[1]) > near(rows[0], rows[2]) + 0.25


@pytest.mark.endpoint("O6")
@pytest.mark.parametrize("provider", EMBEDDERS)
def test_openai_s_sdk(stage: Stage, provider: str) -> None:
    length = EMBEDDERS[provider][2]
    word = mark()
    with OpenAI(base_url=f"{stage.url}/v1", api_key=KEY) as client:
        made = client.embeddings.with_raw_response.create(model=f"embed-{provider}", input=[*TEXTS[:2], word])
        found = made.parse()
        plain = client.embeddings.create(model=f"embed-{provider}", input=TEXTS, encoding_format="float")
    check_alike([row.embedding for row in plain.data], length)
    assert [row.index for row in found.data] == [0, 1, 2]
    assert found.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    row = stage.row(made.headers["x-request-id"])
    counted = stage.received(word)[-1]["usage"]["input"]
    assert (row["units"], row["cost"], bool(row["estimated"])) == ({"input": counted}, counted * TOKEN, False)
    assert found.usage.total_tokens == counted


@pytest.mark.parametrize(("provider", "size"), [("cohere", 256), ("jina", 100), ("voyage", 512)])
def test_shorter_vectors(stage: Stage, provider: str, size: int) -> None:
    reply = post(stage, "/v1/embeddings", model=f"embed-{provider}", input=TEXTS, dimensions=size)
    assert reply.status_code == 200, reply.text
    check_alike([row["embedding"] for row in reply.json()["data"]], size)


@pytest.mark.endpoint("O6")
@pytest.mark.parametrize("provider", BY_COHERE_S)
def test_cohere_s_sdk_in_both_versions(stage: Stage, provider: str) -> None:
    length = EMBEDDERS[provider][2]
    with httpx.Client(timeout=60) as http:
        newer = cohere.ClientV2(api_key=KEY, base_url=stage.url, httpx_client=http)
        found = newer.embed(
            model=f"embed-{provider}", input_type="search_document", texts=TEXTS, embedding_types=["float"]
        )
        older = cohere.Client(api_key=KEY, base_url=stage.url, httpx_client=http)
        bare = older.embed(model=f"embed-{provider}", input_type="search_query", texts=TEXTS)
    assert found.embeddings.float_ is not None and found.texts == TEXTS and found.id
    check_alike(found.embeddings.float_, length)
    assert bare.response_type == "embeddings_floats"
    check_alike(bare.embeddings, length)
    for one in (found, bare):
        assert one.meta is not None and one.meta.billed_units is not None
        assert one.meta.billed_units.input_tokens and one.meta.billed_units.input_tokens > 10


@pytest.mark.parametrize("kind", ["int8", "uint8", "binary", "ubinary", "base64"])
@pytest.mark.parametrize("provider", ["cohere", "voyage"])
def test_kinds_of_vectors_in_cohere_s_form(stage: Stage, provider: str, kind: str) -> None:
    asked: dict[str, Any] = {"model": f"embed-{provider}", "input_type": "search_query", "texts": TEXTS[:1]}
    reply = post(stage, "/v2/embed", **asked, embedding_types=[kind])
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert set(told["embeddings"]) == {kind}
    vector = told["embeddings"][kind][0]
    plain = post(stage, "/v2/embed", **asked).json()["embeddings"]["float"][0]
    if kind == "base64":
        data = base64.b64decode(vector)
        assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(plain, abs=1e-6)
        return
    packed = kind.endswith("binary")
    assert len(vector) == (len(plain) // 8 if packed else len(plain))
    low, high = (0, 255) if kind.startswith("u") else (-128, 127)
    assert all(type(value) is int and low <= value <= high for value in vector)
    if packed:
        first = vector[0] + (0 if kind == "ubinary" else 128)
        assert [first >> (7 - at) & 1 for at in range(8)] == [int(value > 0) for value in plain[:8]]


def test_cohere_gives_several_kinds_at_once(stage: Stage) -> None:
    reply = post(
        stage,
        "/v2/embed",
        model="embed-cohere",
        input_type="classification",
        texts=TEXTS,
        embedding_types=["float", "int8"],
    )
    assert {kind: len(rows) for kind, rows in reply.json()["embeddings"].items()} == {"float": 3, "int8": 3}
    refused = post(
        stage, "/v2/embed", model="embed-jina", input_type="image", texts=TEXTS, embedding_types=["float", "int8"]
    )
    assert (refused.status_code, set(refused.json())) == (400, {"id", "message", "code"})


@pytest.mark.usefixtures("voyage_session")
@pytest.mark.parametrize("kind", ["float", "int8", "uint8", "binary", "ubinary"])
def test_voyage_s_sdk(stage: Stage, kind: str) -> None:
    client = voyageai.Client(api_key=KEY, base_url=f"{stage.url}/v1")  # type: ignore[attr-defined]
    found = client.embed(TEXTS, model="embed-voyage", input_type="document", output_dtype=kind, output_dimension=256)
    assert found.total_tokens > 10
    rows = [list(row) for row in found.embeddings]
    assert [len(row) for row in rows] == [32 if kind.endswith("binary") else 256] * 3
    if kind == "float":
        check_alike(rows, 256)
    else:
        assert all(isinstance(value, int) for row in rows for value in row)


@pytest.mark.usefixtures("voyage_session")
def test_voyage_s_sdk_by_other_vendors(stage: Stage) -> None:
    client = voyageai.Client(api_key=KEY, base_url=f"{stage.url}/v1")  # type: ignore[attr-defined]
    found = client.embed(TEXTS, model="embed-cohere", input_type="query", output_dimension=512)
    check_alike([list(row) for row in found.embeddings], 512)
    with pytest.raises(VoyageError, match="must be one of"):
        client.embed(TEXTS, model="embed-voyage", input_type="query", output_dimension=7)


def test_what_it_is_for_is_carried_over(stage: Stage) -> None:
    word = mark()
    post(stage, "/v1/embeddings", model="embed-cohere", input=word, input_type="query", truncation=False, user="u")
    sent = stage.received(word)[-1]["body"]
    assert (sent["input_type"], sent["truncate"], sent["texts"]) == ("search_query", "NONE", [word])
    word = mark()
    reply = post(stage, "/v2/embed", model="embed-jina", texts=[word], input_type="clustering", truncate="NONE")
    sent = stage.received(word)[-1]["body"]
    assert (sent["task"], sent["truncate"], sent["input"]) == ("separation", False, [word])
    assert "x-unigate-ignored" not in reply.headers
    word = mark()
    reply = post(stage, "/v2/embed", model="embed-voyage", texts=[word], input_type="clustering")
    assert reply.headers["x-unigate-ignored"] == "input_type"
    assert "input_type" not in stage.received(word)[-1]["body"]


@pytest.mark.parametrize("kind", ["float", "base64", "binary", "ubinary"])
def test_jina_s_own_members(stage: Stage, kind: str) -> None:
    asked: dict[str, Any] = {
        "model": "embed-jina",
        "input": [{"text": TEXTS[0]}, {"image": PICTURE}],
        "task": "retrieval.passage",
    }
    reply = post(stage, "/v1/embeddings", **asked, embedding_type=kind, late_chunking=False)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert [type(row["embedding"]) for row in told["data"]] == [str if kind == "base64" else list] * 2
    assert told["usage"]["image_tokens"] == 640
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"input": told["usage"]["total_tokens"] - 640, "image_input": 640}
    assert row["cost"] == told["usage"]["total_tokens"] * TOKEN


def test_many_vectors_for_one_text(stage: Stage) -> None:
    reply = post(stage, "/v1/embeddings", model="embed-jina", input=TEXTS[:1], return_multivector=True)
    rows = reply.json()["data"][0]["embeddings"]
    assert len(rows) > 4 and {len(row) for row in rows} == {128}


@pytest.mark.parametrize("provider", ["cohere", "jina"])
def test_pictures_in_cohere_s_form(stage: Stage, provider: str) -> None:
    reply = post(stage, "/v2/embed", model=f"embed-{provider}", input_type="image", images=[PICTURE])
    assert reply.status_code == 200, reply.text
    assert len(reply.json()["embeddings"]["float"]) == 1
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"input": 0, "image_input": 640}
    assert row["cost"] == 640 * TOKEN
    inputs = [
        {"content": [{"type": "text", "text": TEXTS[0]}]},
        {"content": [{"type": "image_url", "image_url": {"url": PICTURE}}]},
    ]
    mixed = post(stage, "/v2/embed", model=f"embed-{provider}", input_type="search_document", inputs=inputs)
    assert mixed.status_code == 200, mixed.text


def test_pictures_are_refused_by_who_takes_none(stage: Stage) -> None:
    word = mark()
    reply = post(stage, "/v2/embed", model="embed-voyage", input_type="image", images=[PICTURE + word])
    assert reply.status_code == 400 and "pictures" in reply.json()["message"]
    assert stage.received(word) == []


def test_more_than_a_vendor_takes_at_once_is_refused_in_clear_words(stage: Stage) -> None:
    word = mark()
    refused = post(stage, "/v1/embeddings", model="embed-cohere", input=[word] * 97)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "This model takes at most 96 inputs in one call."
    assert refused.json()["error"]["param"] == "input"
    assert stage.received(word) == []
    assert len(post(stage, "/v1/embeddings", model="embed-cohere", input=[word] * 96).json()["data"]) == 96
    # What the vendor's own form can say, the vendor refuses.
    many = post(stage, "/v1/embeddings", model="embed-voyage", input=[word] * 1001)
    assert many.status_code == 400 and "1000" in many.json()["message"], many.text


BAD: list[tuple[str, dict[str, Any]]] = [
    ("/v2/embed", {"model": "embed-cohere", "input_type": "search_query"}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "search_query", "texts": []}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "search_query", "texts": ["a"] * 97}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "search_query", "texts": "a"}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "search_query", "texts": ["a"], "images": [PICTURE]}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "nothing", "texts": ["a"]}),
    ("/v2/embed", {"model": "embed-cohere", "texts": ["a"]}),
    ("/v2/embed", {"model": "embed-cohere", "input_type": "image", "images": ["https://example.com/a.png"]}),
    ("/v1/embed", {"model": "embed-cohere", "input_type": "search_query", "texts": ["a"], "embedding_types": ["x"]}),
    ("/v1/embed", {"texts": ["a"]}),
    ("/v1/embeddings", {"model": "embed-cohere", "input": [[1, 2]]}),
    ("/v1/embeddings", {"model": "embed-cohere", "input": []}),
    ("/v1/embeddings", {"model": "embed-cohere", "input": "a", "output_dtype": "int4"}),
    ("/v1/embeddings", {"model": "embed-jina", "input": "a", "embedding_type": "int8"}),
    ("/v1/embeddings", {"model": "embed-jina", "input": ""}),
    ("/v1/embeddings", {"model": "embed-voyage", "input": "a", "surprise": 1}),
    ("/v1/embeddings", {"model": "embed-tei", "input": ""}),
]


@pytest.mark.endpoint("O6")
@pytest.mark.parametrize(("path", "body"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_free_and_told_in_the_path_s_form(stage: Stage, path: str, body: dict[str, Any]) -> None:
    reply = post(stage, path, key=QUIET, **body)
    assert reply.status_code in (400, 422), reply.text
    told = reply.json()
    assert told["message"]
    assert ("error" in told) is (path == "/v1/embeddings")
    if path == "/v1/embeddings":
        assert told["detail"] == told["message"] == told["error"]["message"]
    assert stage.settled(QUIET)["used"] == 0


def test_cohere_s_sdk_raises_its_own_errors(stage: Stage) -> None:
    with httpx.Client(timeout=60) as http:
        client = cohere.ClientV2(api_key="sk-wrong-0123456789", base_url=stage.url, httpx_client=http)
        with pytest.raises(ApiError) as told:
            client.embed(model="embed-cohere", input_type="search_query", texts=["a"])
    assert told.value.status_code == 401
    assert told.value.body["message"] == "Incorrect API key provided."
