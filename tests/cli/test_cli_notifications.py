"""`unigate notification`: what it prints for people and programs, what it refuses, and its exit codes."""

import json

import pytest
from test_cli import Shell, shell  # noqa: F401 - a fixture is used by its name

URL = "https://example.com/hook"


def test_what_a_user_is_told_from_the_shell(shell: Shell) -> None:  # noqa: F811
    shell.json("user", "create", "alice", "--email", "alice@example.com")
    [usual] = shell.json("notification", "list", "alice")["targets"]
    assert (usual["kind"], usual["id"]) == ("email", None)
    targets = json.dumps([{"kind": "webhook", "url": URL, "headers": {"X-A": "blue"}}])
    made = shell.json("notification", "set", "alice", "--targets", targets, "--low-balance", "2.5", "--language", "zh")
    [target] = made["targets"]
    assert made["secrets"][target["id"]].startswith("whsec_") and target["headers"] == {"X-A": "***"}
    shown = shell.run("notification", "list", "alice")[1]
    assert target["id"] in shown and "2.5" in shown and "blue" not in shown and "whsec_" not in shown
    assert "shown this once" in shell.run("notification", "set", "alice", "--targets", targets)[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--targets", "{"], "--targets:"),
        (["--targets", "{}"], "--targets:"),
        (["--targets", "[1]"], "--targets:"),
        (["--targets", f'[{{"kind": "webhook", "url": "{URL}", "event": ["task.failed"]}}]'], "no 'event'"),
        (["--targets", '[{"kind": "email", "address": "a\\u0000@example.com"}]'], "e-mail address"),
        (["--targets", '[{"kind": "webhook", "url": "http://127.0.0.1/"}]'], "private network"),
        (["--low-balance", "-1"], "--low-balance"),
        (["--low-balance", "nan"], "--low-balance"),
        (["--language", "fr"], "A language is"),
        (["--task-callback-url", "http://10.0.0.1/"], "private network"),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused(shell: Shell, given: list[str], said: str) -> None:  # noqa: F811
    shell.json("user", "create", "alice")
    assert said in shell.refused("notification", "set", "alice", *given, code=2)
    assert shell.json("notification", "list", "alice")["targets"][0]["id"] is None


def test_nobody_and_nothing_to_try(shell: Shell) -> None:  # noqa: F811
    assert shell.refused("notification", "list", "nobody", code=1) == "There is no user 'nobody'."
    shell.json("user", "create", "alice")
    assert "no target 'x'" in shell.refused("notification", "test", "alice", "--target", "x", code=1)
    code, out, _ = shell.run("notification", "test", "alice", "--json")
    assert code == 1 and json.loads(out)[0]["error"] == "no server for mails is set"
