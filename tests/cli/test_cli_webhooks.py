"""`unigate webhook` and `unigate delivery`: what they print for people and programs, and their exit codes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_cli import Shell, shell  # noqa: F401 - a fixture is used by its name

URL = "https://example.com/hook"


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The address of a server that answers every POST with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its callers know it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_webhook_from_the_shell(shell: Shell) -> None:  # noqa: F811
    shell.json("user", "create", "alice")
    made = shell.json("webhook", "create", "alice", URL, "--event", "task.failed")
    assert made["secret"].startswith("whsec_") and made["events"] == ["task.failed"] and made["user"] == "alice"
    [listed] = shell.json("webhook", "list", "--user", "alice")
    assert "secret" not in listed and listed["id"] == made["id"]
    changed = shell.json("webhook", "set", made["id"], "--all-events", "--disable")
    assert (changed["events"], changed["enabled"]) == ([], False)
    rotated = shell.json("webhook", "rotate", made["id"])
    assert rotated["secret"] != made["secret"] and rotated["own_secret"]
    shell.json("webhook", "set", made["id"], "--enable")
    assert made["id"] in shell.run("webhook", "list")[1]
    assert "shown this once" in shell.run("webhook", "create", "alice", URL)[1]
    assert shell.json("webhook", "delete", made["id"]) == {"id": made["id"]}
    assert shell.refused("webhook", "delete", made["id"], code=1) == f"There is no webhook '{made['id']}'."


def test_trying_and_sending_again(shell: Shell) -> None:  # noqa: F811
    shell.json("user", "create", "alice")
    shell.json("settings", "set", "notify", '{"allow_private_targets": true}')
    with answering(500) as url:
        made = shell.json("webhook", "create", "alice", url)
        code, out, _ = shell.run("webhook", "test", made["id"], "--json")
        assert code == 1 and '"status":500' in out
    [message] = shell.json("delivery", "list", "--state", "failed", "--user", "alice", "--webhook", made["id"])
    assert (message["event"], message["url"], message["tries"][0]["status"]) == ("test", url, 500)
    assert message["created_at"].endswith("+00:00") and message["tries"][0]["at"].endswith("+00:00")
    assert "500" in shell.run("delivery", "list")[1]
    assert shell.json("delivery", "list", "--task", "task_1") == []
    again = shell.json("delivery", "replay", message["id"])
    assert (again["id"], again["state"]) == (message["id"], "waiting")
    shell.json("webhook", "delete", made["id"])
    refusal = shell.refused("delivery", "replay", message["id"], code=1)
    assert refusal == "The webhook of this message is gone."


def test_the_shell_is_paced_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("unigate.manage.webhooks.TESTS", 1)
    shell.json("user", "create", "alice")
    shell.json("settings", "set", "notify", '{"allow_private_targets": true}')
    with answering(200) as url:
        made = shell.json("webhook", "create", "alice", url)
        assert shell.run("webhook", "test", made["id"], "--json")[0] == 0
        refusal = shell.refused("webhook", "test", made["id"], code=1)
    assert refusal == "This can be done 1 times a minute. Please try again later."


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("webhook", "create", "nobody", URL), 1, "There is no user 'nobody'."),
        (("webhook", "create", "nobody", "http://127.0.0.1/"), 2, "The address leads to a private network."),
        (("webhook", "create", "nobody", "x"), 2, "This is not an address that can be called back"),
        (("webhook", "create", "nobody", URL, "--event", "x"), 2, "An event is one of task.succeeded, task.failed"),
        (("webhook", "create", "nobody", URL, "--secret", "x"), 2, "A secret is `whsec_`"),
        (("webhook", "test", "hook_1"), 1, "There is no webhook 'hook_1'."),
        (("delivery", "list", "--state", "lost"), 2, "A message is waiting, delivered, failed, not 'lost'."),
        (("delivery", "replay", "msg_1"), 1, "There is no message 'msg_1'."),
    ],
)
def test_what_is_wrong_is_one_line(shell: Shell, words: tuple[str, ...], code: int, says: str) -> None:  # noqa: F811
    assert shell.refused(*words, code=code).startswith(says)
