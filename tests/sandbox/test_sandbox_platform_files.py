"""The sandbox's files: kept, listed, given back, refused, and read by models that are asked about them."""

import base64
import io
import secrets
import zipfile
import zlib
from typing import Any

import openai
import pytest
from PIL import Image
from sandbox_client import Sandbox, user

from unigate.sandbox.brain import documents, prose

NOTES = b"The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn."
HOUR = {"anchor": "created_at", "seconds": 3600}


def account(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def upload(sdk: openai.OpenAI, data: bytes = NOTES, name: str = "notes.txt", purpose: Any = "user_data") -> str:
    """The id of a new file."""
    return sdk.files.create(file=(name, data), purpose=purpose).id


def test_a_file_from_upload_to_deletion(sandbox: Sandbox) -> None:
    sdk = account(sandbox)
    made = sdk.files.create(file=("a.jsonl", b'{"a":1}\n'), purpose="evals", expires_after=HOUR)  # type: ignore[arg-type]
    assert (made.bytes, made.filename, made.purpose, made.status) == (8, "a.jsonl", "evals", "processed")
    assert made.id.startswith("file-") and made.expires_at == made.created_at + 3600
    assert sdk.files.retrieve(made.id) == made
    assert sdk.files.content(made.id).content == b'{"a":1}\n'
    assert sdk.files.delete(made.id).deleted
    for lost in (sdk.files.retrieve, sdk.files.delete, sdk.files.content):
        with pytest.raises(openai.NotFoundError, match=f"No such File object: {made.id}") as refused:
            lost(made.id)
        assert refused.value.param == "id"


def test_batches_files_end_by_themselves(sandbox: Sandbox) -> None:
    made = account(sandbox).files.create(file=("a.jsonl", b"{}\n"), purpose="batch")
    assert made.expires_at == made.created_at + 2_592_000


def test_files_in_pages_and_by_purpose(sandbox: Sandbox) -> None:
    sdk = account(sandbox)
    ids = [upload(sdk, name=f"{n}.txt", purpose="evals" if n % 2 else "user_data") for n in range(5)]
    assert [one.id for one in sdk.files.list(limit=2)] == ids[::-1]
    first = sdk.files.list(limit=2, order="asc")
    assert [one.id for one in first.data] == ids[:2] and first.has_more
    assert [one.id for one in sdk.files.list(purpose="evals", order="asc")] == ids[1::2]
    assert [one.id for one in sdk.files.list(after=ids[1], order="asc").data] == ids[2:]
    assert account(sandbox).files.list().data == []
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.files.list(limit=10_001)
    assert (refused.value.param, refused.value.code) == ("limit", "integer_above_max_value")


@pytest.mark.parametrize(
    ("name", "data", "purpose", "more", "told"),
    [
        ("a.txt", b"x", "pleasure", {}, "'pleasure' is not one of"),
        ("a.txt", b"", "user_data", {}, "File is empty"),
        ("a.txt", b"x", "batch", {}, "Invalid file format for Batch API. Must be .jsonl"),
        ("a.txt", b"x", "evals", {"expires_after": {"anchor": "created_at", "seconds": 60}}, "below minimum value"),
        ("a.txt", b"x", "evals", {"expires_after": {"anchor": "now", "seconds": 3600}}, "Invalid value: 'now'"),
    ],
)
def test_bad_uploads(sandbox: Sandbox, name: str, data: bytes, purpose: Any, more: Any, told: str) -> None:
    sdk = account(sandbox)
    with pytest.raises(openai.BadRequestError, match=told):
        sdk.files.create(file=(name, data), purpose=purpose, **more)
    assert sdk.files.list().data == []


def test_no_form_and_forms_without_parts(sandbox: Sandbox) -> None:
    url, head = f"{sandbox.url}/openai/v1/files", {"authorization": "Bearer sk-sandbox-0001"}
    assert "could not parse" in sandbox.http.post(url, json={}, headers=head).json()["error"]["message"]
    lacking = sandbox.http.post(url, files={"file": ("a", b"x")}, headers=head)
    assert lacking.status_code == 400 and lacking.json()["error"]["message"] == "'purpose' is a required property"


@pytest.mark.parametrize("purpose", ["assistants", "user_data"])
def test_some_files_are_not_given_back(sandbox: Sandbox, purpose: str) -> None:
    sdk = account(sandbox)
    kept = upload(sdk, purpose=purpose)
    with pytest.raises(openai.BadRequestError, match=f"Not allowed to download files of purpose: {purpose}"):
        sdk.files.content(kept)


def plain_pdf(words: str) -> bytes:
    """A PDF of one page with a compressed stream."""
    stream = zlib.compress(f"BT /F1 12 Tf 72 720 Td ({words}) Tj 0 -14 Td [(Not ) -20 (that.)] TJ ET".encode())
    return b"%PDF-1.4\n1 0 obj <</Filter/FlateDecode>> stream\n" + stream + b"\nendstream endobj\n%%EOF"


def word_file(words: str) -> bytes:
    """A docx of one paragraph."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:r><w:t>{words}</w:t></w:r></w:p>")
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "answer"),
    [
        ("notes.txt", NOTES, "The lighthouse keeper is called Wilhelmina."),
        ("rows.csv", b"name,work\nWilhelmina,lighthouse keeper\nOtto,baker\n", "Wilhelmina,lighthouse keeper"),
        ("one.json", b'{\n"keeper of the lighthouse": "Wilhelmina",\n"cranes": 9\n}', "Wilhelmina"),
        ("a.pdf", plain_pdf(r"The lighthouse keeper \(at sea\) is Wilhelmina."), "keeper (at sea) is Wilhelmina."),
        ("a.docx", word_file("The lighthouse keeper &amp; friend is Wilhelmina."), "keeper & friend is Wilhelmina."),
    ],
)
def test_models_read_files(sandbox: Sandbox, name: str, data: bytes, answer: str) -> None:
    sdk = account(sandbox)
    kept = upload(sdk, data, name)
    question = "Who is the lighthouse keeper?"
    parts: list[Any] = [{"type": "text", "text": question}, {"type": "file", "file": {"file_id": kept}}]
    chat = sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    inputs: list[Any] = [{"type": "input_text", "text": question}, {"type": "input_file", "file_id": kept}]
    response = sdk.responses.create(model="gpt-4o", input=[{"role": "user", "content": inputs}])
    inline = {"filename": name, "file_data": "data:;base64," + base64.b64encode(data).decode()}
    parts[1] = {"type": "file", "file": inline}
    given = sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    for text in (chat.choices[0].message.content, response.output_text, given.choices[0].message.content):
        assert text and f"I have read the file {name}" in text and answer in text
    later = sdk.responses.create(model="gpt-4o", previous_response_id=response.id, input="When do boats leave?")
    assert name in later.output_text and ("Boats leave at dawn." in later.output_text) is (name == "notes.txt")


def test_what_a_file_says_counts_as_input(sandbox: Sandbox) -> None:
    sdk = account(sandbox)
    kept = upload(sdk, b"word " * 1000)
    parts: list[Any] = [{"type": "text", "text": "Hello"}, {"type": "file", "file": {"file_id": kept}}]
    long = sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    short = sdk.chat.completions.create(model="gpt-4o", messages=user("Hello"))
    assert long.usage and short.usage and 1000 <= long.usage.prompt_tokens - short.usage.prompt_tokens <= 1005


def test_pictures_out_of_files(sandbox: Sandbox) -> None:
    sdk, held = account(sandbox), io.BytesIO()
    Image.new("RGB", (48, 32)).save(held, "PNG")
    kept = upload(sdk, held.getvalue(), "a.png", "vision")

    def ask(file_id: str) -> str:
        part: Any = {"type": "input_image", "file_id": file_id, "detail": "auto"}
        return sdk.responses.create(model="gpt-4o", input=[{"role": "user", "content": [part]}]).output_text

    assert "I see a PNG picture of 48x32 pixels" in ask(kept)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(upload(sdk))
    assert refused.value.code == "invalid_image_format"


def test_nobody_reads_another_accounts_files(sandbox: Sandbox) -> None:
    kept, stranger = upload(account(sandbox)), account(sandbox)
    file: Any = {"type": "file", "file": {"file_id": kept}}
    with pytest.raises(openai.NotFoundError) as refused:
        stranger.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": [file]}])
    assert refused.value.param == "messages[0].content[0].file.file_id"
    for part in ("input_file", "input_image"):
        content: Any = [{"type": part, "file_id": kept}]
        with pytest.raises(openai.NotFoundError, match="No such File object") as refused:
            stranger.responses.create(model="gpt-4o", input=[{"role": "user", "content": content}])
        assert refused.value.param == "input[0].content[0].file_id"


@pytest.mark.parametrize(
    ("data", "begins"),
    [
        (b"%PDF-1.4\n" + b"stream\n" * 300_000, ""),
        (b"%PDF-1.4\nstream\n" + b"BT " * 300_000 + b"\nendstream", ""),
        (b"%PDF-1.4\nstream\nBT " + b"(" * 900_000 + b" ET\nendstream", ""),
        (word_file("<" * 900_000), "<"),
        (b"PK\x03\x04 this is no archive", ""),
        (b"a" * 900_000, "a"),
    ],
    ids=["streams", "blocks", "brackets", "tags", "archive", "one word"],
)
def test_odd_documents_are_read_at_once(data: bytes, begins: str) -> None:
    words = documents.text(data)
    assert words[:1] == begins
    assert prose.fitting("Who is the lighthouse keeper?", words)[:1] == begins
    assert all(len(one) <= 500 for one in documents.sentences(words))
