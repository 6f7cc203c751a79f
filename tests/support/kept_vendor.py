"""A vendor that keeps things for its accounts: what a test can't ask of the sandbox, such as refusals on demand and every byte it got.

It knows no kind of thing: whatever is posted at the root of a collection gets an id there, and what is below a thing is echoed.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Collection -> how the ids of its things begin.
ROOTS = {
    "vector_stores": "vs_",
    "conversations": "conv_",
    "containers": "cntr_",
    "evals": "eval_",
    "fine_tuning/jobs": "ftjob-",
}
CONTENT = bytes(range(256)) * 40_000
_SAID = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1790000000,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@dataclass
class Got:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.body)


@dataclass
class KeptVendor:
    """What it keeps by account, what it got, and what it is to do next in place of what it would."""

    port: int = 0
    things: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    #: A status to refuse the next request with; "break": the connection is closed once the request was read; "half":
    #: content breaks off; "wait": it answers once `go` is set.
    then: list[int | str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    made: int = 0
    #: Type and disposition of content.
    content_type: str = "application/octet-stream"
    disposition: str = ""

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def since(self, number: int) -> list[str]:
        """Method and path of what came behind the first so many requests."""
        return [f"{got.method} {got.path}" for got in self.got[number:]]

    def answer(self, got: Got) -> tuple[int, dict[str, Any]]:
        """What it says to a request that is about no content."""
        kept = self.things.setdefault(got.headers.get("authorization", ""), {})
        path = got.path.partition("?")[0].removeprefix("/v1/")
        if path == "chat/completions":
            return 200, {**_SAID, "model": json.loads(got.body)["model"]}
        root = next(root for root in ROOTS if path == root or path.startswith(f"{root}/"))
        told = json.loads(got.body) if got.headers.get("content-type") == "application/json" and got.body else {}
        if path == root:
            if got.method == "GET":
                return 200, {"object": "list", "data": list(kept.values())}
            self.made += 1
            id = f"{ROOTS[root]}{self.port}x{self.made}"
            kept[id] = {"id": id, "object": root, "created_at": 1790000000 + self.made, "metadata": {}, **told}
            return 200, kept[id]
        id, _, below = path.removeprefix(f"{root}/").partition("/")
        if id not in kept:
            return 404, {
                "error": {"message": "Not here.", "type": "invalid_request_error", "param": None, "code": None}
            }
        if below:
            echo = {
                "id": below.rpartition("/")[2],
                "object": "echo",
                "below": below,
                "asked": told,
                "method": got.method,
            }
            return 200, echo
        if got.method == "DELETE":
            del kept[id]
            return 200, {"id": id, "object": f"{root}.deleted", "deleted": True}
        kept[id].update(told)
        return 200, kept[id]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: KeptVendor

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        got = Got(self.command, self.path, headers, body)
        self.vendor.got.append(got)
        then = self.vendor.then.pop(0) if self.vendor.then else 0
        if then == "wait":
            self.vendor.go.wait(60)
        if then == "break":
            self.close_connection = True
            return
        if isinstance(then, int) and then:
            error = {"error": {"message": f"No: {then}.", "type": "server_error", "param": None, "code": None}}
            self._reply(then, json.dumps(error).encode())
        elif got.path.endswith("/content"):
            self._content(got, half=then == "half")
        else:
            status, told = self.vendor.answer(got)
            self._reply(status, json.dumps(told).encode())

    def _content(self, got: Got, *, half: bool) -> None:
        asked = got.headers.get("range", "")
        if not asked:
            told = (("content-disposition", self.vendor.disposition),) if self.vendor.disposition else ()
            self._reply(200, CONTENT, self.vendor.content_type, told, half=half)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = CONTENT[int(first) : int(last) + 1]
        ranged = (("content-range", f"bytes {first}-{last}/{len(CONTENT)}"),)
        self._reply(206, part, "application/octet-stream", ranged)

    def _reply(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        more: tuple[tuple[str, str], ...] = (),
        *,
        half: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # a caller may have left
            self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection = self.close_connection or half

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that the standard library looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Say nothing."""


@contextmanager
def kept_vendor() -> Iterator[KeptVendor]:
    """Serve on a port of its own."""
    vendor = KeptVendor()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vendor": vendor}))
    server.daemon_threads = True
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
