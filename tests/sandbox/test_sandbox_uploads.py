"""The sandbox's uploads: parts that become a file, and what is refused."""

import hashlib
import secrets

import openai
import pytest
from sandbox_client import Sandbox

DATA = b'{"a": 1}\n' * 10


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def begin(sdk: openai.OpenAI, size: int = len(DATA)) -> str:
    """The id of a new upload."""
    return sdk.uploads.create(bytes=size, filename="a.jsonl", mime_type="text/jsonl", purpose="batch").id


def test_parts_become_a_file(sdk: openai.OpenAI) -> None:
    upload = begin(sdk)
    second, first = (sdk.uploads.parts.create(upload, data=data).id for data in (DATA[50:], DATA[:50]))
    assert upload.startswith("upload_") and first.startswith("part_")
    done = sdk.uploads.complete(upload, part_ids=[first, second], md5=hashlib.md5(DATA).hexdigest())
    assert done.status == "completed" and done.file and done.file.filename == "a.jsonl"
    assert sdk.files.content(done.file.id).content == DATA
    with pytest.raises(openai.BadRequestError, match="is completed"):
        sdk.uploads.cancel(upload)


def test_an_upload_by_chunks(sdk: openai.OpenAI) -> None:
    done = sdk.uploads.upload_file_chunked(
        file=DATA, filename="a.jsonl", bytes=len(DATA), mime_type="text/jsonl", purpose="batch", part_size=7
    )
    assert done.file and sdk.files.content(done.file.id).content == DATA


def test_what_is_refused(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    upload = begin(sdk)
    part = sdk.uploads.parts.create(upload, data=DATA).id
    for parts, md5, param in (
        ([part, part], "", "part_ids"),
        (["part_none"], "", "part_ids"),
        ([], "", "part_ids"),
        ([part], "0" * 32, "md5"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.uploads.complete(upload, part_ids=parts, md5=md5)
        assert refused.value.param == param
    short = begin(sdk, 3)
    with pytest.raises(openai.BadRequestError, match="made for 3"):
        sdk.uploads.complete(short, part_ids=[sdk.uploads.parts.create(short, data=DATA).id])
    assert sdk.uploads.cancel(short).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="is cancelled"):
        sdk.uploads.parts.create(short, data=DATA)
    with pytest.raises(openai.NotFoundError, match="No such Upload object"):
        sandbox.openai(key=f"sk-{secrets.token_hex(8)}").uploads.parts.create(upload, data=DATA)
    with pytest.raises(openai.BadRequestError, match="is not one of"):
        sdk.uploads.create(bytes=1, filename="a", mime_type="a/b", purpose="fun")  # type: ignore[arg-type]
    assert sdk.files.list().data == []
