"""A server of Suno's convention that says what a test tells it to say: what the sandbox, being in order, never would."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class SunoVendor:
    """What it got, what its tasks are like, and what it answers elsewhere."""

    port: int = 0
    #: Method, path and body of each request.
    got: list[tuple[str, str, Any]] = field(default_factory=list)
    #: Its task's id -> its status and data, as the test has it.
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Begin of a path -> status and answer, in place of what it would say.
    says: dict[str, tuple[int, Any]] = field(default_factory=dict)
    #: Answers wait for it.
    go: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def sent(self) -> list[tuple[str, str, Any]]:
        """What it got beside questions about tasks."""
        return [one for one in self.got if one[1] != "/suno/fetch"]

    def last(self) -> str:
        """The id of the task that it took last."""
        return next(reversed(self.tasks))

    def tell(self, id: str, status: str, *clips: dict[str, Any], **more: Any) -> None:
        """Let a task be so from now on."""
        self.tasks[id] = {"status": status, "data": list(clips), "progress": "50%", **more}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """What it says to a request."""
        self.got.append((method, path, body))
        for begin, said in self.says.items():
            if path.startswith(begin):
                return said
        if path == "/suno/fetch":
            found = [{"task_id": id, **self.tasks[id]} for id in body["ids"] if id in self.tasks]
            return 200, {"code": "success", "message": "", "data": found}
        if path.startswith(("/suno/submit/", "/suno/uploads/audio-url")):
            id = f"their-{len(self.tasks)}"
            self.tasks[id] = {"status": "SUBMITTED", "data": []}
            return 200, {"code": "success", "message": "", "data": id}
        return 200, {"code": "success", "message": "", "data": {"asked": path}}


def clip(id: str, status: str = "streaming", **more: Any) -> dict[str, Any]:
    """A clip."""
    about = {"tags": "", "prompt": "", "duration": 30, **more.pop("metadata", {})}
    return {"id": id, "title": id, "status": status, "metadata": about, **more}


@contextmanager
def suno_vendor() -> Iterator[SunoVendor]:
    """A server on a free port."""
    vendor = SunoVendor()
    vendor.go.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, said = vendor.answer(self.command, self.path, json.loads(body) if body else None)
            vendor.go.wait(60)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = _serve  # noqa: N815 - the names that the standard library looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
            """Nowhere."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        vendor.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
