"""A gateway that speaks the tests' dialect of forms and sound, in front of a vendor that does what its channel's path says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

import support.form_gateway
from support import leftovers
from support.form_vendor import Asked, FormVendor, Handler, vendor_beside
from support.stage import Stage, set_stage, workers_of
from support.waiting import wait_until

PROGRAM = Path(support.form_gateway.__file__)
BOOKS = """
prices: [{model: "*", input: 1, output: 1}]
settings: {relay: {backoff_seconds: 0}}
users: [{name: alice, email: alice@example.com, password: correct horse 9, credit: 100}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: disabled, user: alice, secret: sk-off-0123456789, enabled: false}
"""


@dataclass
class FormStage:
    """Both of them."""

    gateway: Stage
    vendor: FormVendor
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        head = {"authorization": f"Bearer {self.gateway.key}"}
        self.client = httpx.Client(base_url=self.gateway.url, headers=head, timeout=60)

    def send(self, model: str, content: bytes, **more: Any) -> httpx.Response:
        """Send a form with a file."""
        return self.client.post("/v1/form", data={"model": model, **more}, files={"file": ("a.mp3", content)})

    def asked(self, name: str) -> list[Asked]:
        """What a channel's vendor was asked."""
        return [each for each in self.vendor.asked if each.path.startswith(f"/{name}/")]

    def kept(self, call_id: str) -> dict[str, Any]:
        """What was kept of a call, once it is there."""
        told = {"email": "alice@example.com", "password": "correct horse 9"}
        token = httpx.post(self.gateway.url + "/api/sessions", json=told).json()["token"]
        found: list[httpx.Response] = []

        def look() -> bool:
            url = f"{self.gateway.url}/api/requests/{call_id}/kept"
            found[:] = [httpx.get(url, headers={"authorization": f"Bearer {token}"})]
            return found[0].status_code == 200

        wait_until(look, seconds=20, what="what was kept")
        kept: dict[str, Any] = found[0].json()
        return kept

    def worker(self) -> int:
        """The process that serves."""
        (worker,) = workers_of(self.gateway)
        return worker

    def spooled(self) -> int:
        """Files of forms that are on the disk."""
        return leftovers.spooled(self.gateway)

    def nothing_left(self) -> None:
        """Wait until nothing of any call is there: no file, no hold."""
        leftovers.nothing_left(self.gateway)


@contextmanager
def form_stage(home: Path, channels: dict[str, str], **handlers: Handler) -> Iterator[FormStage]:
    """Start both. `channels`: by the name of a handler, the rest of the channel's line."""
    with vendor_beside(**handlers) as vendor:
        lines = [
            f"  - {{name: {name.replace('/', '-')}, provider: openai, base_url: {vendor.url}/{name},"
            f" credentials: sk-up, {rest}}}\n"
            for name, rest in channels.items()
        ]
        nobody: Any = SimpleNamespace(url="")
        gateway = set_stage(home, nobody, "channels:\n" + "".join(lines) + BOOKS, program=PROGRAM)
        made = FormStage(gateway, vendor)
        try:
            yield made
        finally:
            made.client.close()
            gateway.stop()


class Upload:
    """A form over a raw socket, of which as much is sent as a test says."""

    def __init__(
        self,
        stage: FormStage,
        model: str,
        size: int,
        *,
        path: str = "/v1/form",
        part: str = "file",
        name: str = "a.mp3",
    ) -> None:
        host, port = stage.gateway.url.removeprefix("http://").split(":")
        head = b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n' % model.encode()
        told = f'--XX\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
        head += told.encode()
        self._left = size
        self._end = b"\r\n--XX--\r\n"
        length = len(head) + size + len(self._end)
        self.sock = socket.create_connection((host, int(port)), 60)
        self.sock.sendall(
            b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n"
            b"Content-Type: multipart/form-data; boundary=XX\r\n\r\n%b"
            % (path.encode(), stage.gateway.key.encode(), length, head)
        )

    def send(self, size: int | None = None) -> None:
        """Send so much of the file, or the rest of everything."""
        count = self._left if size is None else size
        self._left -= count
        self.sock.sendall(b"x" * count + (b"" if self._left else self._end))

    def leave(self) -> None:
        """Go, whatever is under way."""
        self.sock.close()


class Gate:
    """Lets handlers of the vendor go on when the test says so, one for each word."""

    def __init__(self) -> None:
        self._open = threading.Semaphore(0)

    def open(self, times: int = 1) -> None:
        """Let so many go on."""
        self._open.release(times)

    def wait(self) -> None:
        """Wait for it, not for ever."""
        assert self._open.acquire(timeout=60)
