"""Sound and pictures whose caller leaves in the middle of an upload, and those that are too large to be begun.

What is left is looked for where it would be: on the disk, among the kept files, in memory, at the vendor.
"""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from form_stage import FormStage, Gate, Upload, form_stage

from support.form_vendor import Asked, take
from support.leftovers import connected, stored
from support.stage import resident
from support.waiting import wait_until

MB = 1 << 20
#: What a process may keep of its own beside a file.
SPARE = 10 * MB
GATE = Gate()


@dataclass(frozen=True)
class Kind:
    """A call with a file."""

    path: str
    part: str
    model: str
    #: Bytes of a form at most.
    most: int


KINDS = (
    Kind("/v1/audio/transcriptions", "file", "whisper-1", 128 * MB),
    Kind("/v1/audio/translations", "file", "whisper-1", 128 * MB),
    Kind("/v1/images/edits", "image", "gpt-image-1", 820 * MB),
    Kind("/v1/images/variations", "image", "dall-e-2", 50 * MB),
)
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path.rpartition("/")[2])
ROWS = pytest.mark.endpoint("O2", "O3", "O7", "O9")


async def slow(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little, and nothing more before the test says so."""
    await take(asked, reader, 1000)
    await asyncio.to_thread(GATE.wait)
    raise ConnectionError("enough")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FormStage]:
    channels = {"slow": "models: [whisper-1, gpt-image-1, dall-e-2]", "good": "models: [warm]"}
    with form_stage(tmp_path_factory.mktemp("left"), channels, slow=slow) as made:
        # What measures sounds is loaded once, and stays.
        files = {"file": ("a.wav", b"x" * MB)}
        reply = made.client.post("/v1/audio/transcriptions", data={"model": "warm"}, files=files)
        made.gateway.row(reply.headers["x-request-id"])
        yield made


@pytest.fixture(autouse=True)
def _clean(stage: FormStage) -> Iterator[None]:
    stage.vendor.asked.clear()
    yield
    stage.nothing_left()
    assert not stored(stage.gateway)
    assert stage.gateway.usage()["used"] == 0


@ROWS
@EACH
def test_a_caller_who_leaves_in_the_middle_of_an_upload(stage: FormStage, kind: Kind) -> None:
    before = resident(stage.worker())
    upload = Upload(stage, kind.model, 30 * MB, path=kind.path, part=kind.part, name="a.bin")
    upload.send(20 * MB)
    wait_until(stage.spooled, what="a file of a form", seconds=20)
    upload.leave()
    wait_until(lambda: not stage.spooled(), what="no file of a form")
    assert not stage.vendor.asked
    assert resident(stage.worker()) - before < SPARE


@ROWS
@EACH
def test_a_caller_who_leaves_while_the_vendor_takes_the_file(stage: FormStage, kind: Kind) -> None:
    known = stage.gateway.rows().keys()
    before = resident(stage.worker())
    upload = Upload(stage, kind.model, 30 * MB, path=kind.path, part=kind.part, name="a.bin")
    upload.send()
    wait_until(lambda: stage.vendor.asked, what="the vendor is asked", seconds=60)
    assert stage.spooled() == 1 and connected(stage.gateway, stage.vendor.port) == 1
    upload.leave()
    wait_until(lambda: not stage.spooled(), what="no file of a form")
    wait_until(lambda: not connected(stage.gateway, stage.vendor.port), what="no connection to the vendor")
    assert len(stage.vendor.asked[0].body) == 1000, "the vendor did not get the rest"
    GATE.open()
    wait_until(lambda: stage.gateway.rows().keys() - known, what="the row of the call", seconds=20)
    (row,) = [row for id, row in stage.gateway.rows().items() if id not in known]
    assert (row["ended"], row["cost"], row["units"]) == ("caller_left", 0, {}), row
    assert resident(stage.worker()) - before < SPARE


@pytest.mark.endpoint("O7")
def test_callers_who_leave_in_the_middle_of_pictures_in_json(stage: FormStage) -> None:
    """The allocator keeps the memory of a body or two, and uses it for the next ones."""
    before = resident(stage.worker())
    seen = []
    for _ in range(8):
        with opened(stage, "/v1/images/edits", b"content-type: application/json\r\ncontent-length: 18000000") as sock:
            sock.sendall(b'{"model": "gpt-image-1", "images": [{"image_url": "data:image/png;base64,')
            sock.sendall(b"A" * 16_000_000)
            wait_until(lambda: resident(stage.worker()) - before > SPARE, what="the body in memory", seconds=30)
        seen.append(resident(stage.worker()))
    assert seen[-1] - seen[0] < 3 * 16 * MB, "less than three bodies of eight"
    assert not stage.vendor.asked


@ROWS
@EACH
def test_what_is_larger_than_any_vendor_takes_is_refused_before_it_came(stage: FormStage, kind: Kind) -> None:
    told = b"content-type: multipart/form-data; boundary=XX\r\ncontent-length: %d" % (kind.most + 1)
    with opened(stage, kind.path, told) as sock:
        reply = sock.recv(65536)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"x-request-id: req_" in reply and b'"type":"invalid_request_error"' in reply


@pytest.mark.endpoint("O9")
def test_a_size_that_is_not_told_is_counted(stage: FormStage) -> None:
    kind = KINDS[-1]
    told = b"content-type: multipart/form-data; boundary=XX\r\ntransfer-encoding: chunked"
    head = b'--XX\r\ncontent-disposition: form-data; name="%b"; filename="a"\r\n\r\n' % kind.part.encode()
    with opened(stage, kind.path, told) as sock:
        sock.sendall(b"%x\r\n%b\r\n" % (len(head), head))
        piece = b"%x\r\n%b\r\n" % (MB, bytes(MB))
        for _ in range(kind.most // MB + 1):
            sock.sendall(piece)
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


def opened(stage: FormStage, path: str, told: bytes) -> socket.socket:
    """A call of which the headers were sent."""
    host, port = stage.gateway.url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), 60)
    sock.sendall(
        b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n%b\r\n\r\n"
        % (path.encode(), stage.gateway.key.encode(), told)
    )
    return sock
