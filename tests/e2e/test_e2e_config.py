"""The file: mistakes in it name their place, the environment overrides it, applying it again changes nothing."""

from pathlib import Path

import pytest

from support import nursery
from support.stage import MAIN, body, set_stage, shell, workers_of
from support.waiting import wait_until
from support.world import Process, start

USERS = """
prices:
  - {model: gpt-4o-mini, input: 0.15, output: 0.60}
users:
  - {name: alice, credit: 10}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, budget: {total: 50}}
"""

MISTAKES = {
    "no yaml": ("users: [{name: alice\nkeys: 3", 2, ""),
    "a tab": ("server:\n\tport: 3\n", 2, ""),
    "an unknown section": ("server: {}\nroutes: []\n", 2, "routes"),
    "an unknown key": ("\n\nserver:\n  prot: 80\n", 4, "prot"),
    "a key twice": ("secret: 0123456789abcdef\nserver: {}\nserver: {}\n", 3, "twice"),
    "a wrong type": ("server:\n  workers: many\n", 2, "many"),
    "out of range": ("server:\n  port: 70000\n", 2, "70000"),
    "a bad price": ("prices:\n  - {model: a, input: 0.15}\n  - {model: b, input: cheap}\n", 3, "cheap"),
    "a price too fine": ("prices:\n  - {model: b, per_call: 0.0000000001}\n", 2, "0.0000000001"),
    "a negative price": ("prices:\n  - {model: b, per_call: -1}\n", 2, "-1"),
    "a bad date": ("prices:\n  - {model: b, per_call: 1,\n     from: tomorrow}\n", 3, "tomorrow"),
    "a missing variable": ("users:\n  - name: alice\n    password: $NO_SUCH_VARIABLE\n", 3, "NO_SUCH_VARIABLE"),
    "a missing name": ("users:\n  - {email: a@example.com}\n", 2, "name"),
    "an unknown provider": ("channels:\n  - {name: a, provider: nobody, credentials: x, models: '*'}\n", 2, "nobody"),
    "an unknown group": ("users:\n  - {name: alice, group: nowhere}\n", 2, "nowhere"),
    "an unknown user": ("keys:\n  - {name: app, user: nobody, secret: sk-0123456789}\n", 2, "nobody"),
    "an unknown setting": ("settings:\n  hold: {output: 3}\n", 2, "output"),
    "a bad address": ("keys:\n  - {name: a, user: b, secret: sk-0123456789, addresses: [here]}\n", 2, "here"),
    "two keys alike": (
        (
            "users: [{name: a}]\nkeys:\n"
            "  - {name: a, user: a, secret: sk-0123456789}\n  - {name: b, user: a, secret: sk-0123456789}\n"
        ),
        4,
        "",
    ),
    "two users alike": ("users:\n  - {name: a}\n  - {name: a}\n", 3, "a"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_its_place(tmp_path: Path, name: str) -> None:
    text, line, word = MISTAKES[name]
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    words = ["serve", "--config", str(file), "--port", "0", "--data", str(tmp_path / "data")]
    # In a process of its own: it forks, which one with threads, as this may be, must not.
    done = nursery.run(*words)
    code, out, err = done.returncode, done.stdout, done.stderr
    said = [one for one in err.splitlines() if "made a secret" not in one]
    assert (code, out) == (2, ""), (out, err)
    assert len(said) == 1 and said[0].startswith(f"unigate: {file}:{line}:"), err
    assert word in said[0]
    assert "sk-0123456789" not in err


def test_a_program_with_a_bad_file_ends_with_two(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("server: {prot: 80}\n")
    with pytest.raises(pytest.fail.Exception) as caught:
        start(["serve", "--config", str(file), "--data", str(tmp_path / "data")], tmp_path / "log", whole=True)
    assert "ended with 2" in str(caught.value)
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert f"{file}:1:10: unknown key 'prot'" in (tmp_path / "log").read_text()


def test_no_file(tmp_path: Path) -> None:
    code, _, err = shell("serve", "--config", str(tmp_path / "none.yaml"), "--data", str(tmp_path / "data"))
    assert code == 2 and "none.yaml" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNIGATE_SERVER__PROT", "1"),
        ("UNIGATE_SERVER__PORT", "http"),
        ("UNIGATE_NOWHERE__PORT", "1"),
        ("UNIGATE_DATABASE__URL", "mysql://localhost/x"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    code, _out, err = shell("user", "list", "--data", str(tmp_path / "data"))
    assert code == 2 and "Traceback" not in err, err
    assert variable in err or "database.url" in err, err


def test_the_environment_wins_and_the_file_is_applied_once(tmp_path: Path, vendors: Process) -> None:
    first = set_stage(tmp_path, vendors, MAIN + USERS, UNIGATE_SERVER__WORKERS="2")
    try:
        wait_until(lambda: len(workers_of(first)) == 2, what="two workers")
        reply = first.post(body("hi"))
        used = first.row(reply.headers["x-request-id"])["cost"] / 10**9
        assert used == float(reply.headers["x-unigate-cost"]) > 0
        prices = first.manage("price", "list", "--own", "--history")
        views = [first.manage(kind, "list") for kind in ("channel", "key", "group")]
    finally:
        assert first.stop() == 0
    again = set_stage(tmp_path, vendors, MAIN + USERS)
    try:
        wait_until(lambda: len(workers_of(again)) == 1, what="one worker")
        assert again.usage() == {"balance": pytest.approx(10 - used), "used": used, "cache_used": 0}
        assert again.manage("price", "list", "--own", "--history") == prices
        assert [again.manage(kind, "list") for kind in ("channel", "key", "group")] == views
        again.sound()
    finally:
        assert again.stop() == 0
    changed = (MAIN + USERS).replace("credit: 10", "credit: 20").replace("0.15", "0.30").replace("name: app", "name: b")
    changed = changed.replace("sk-app-0123456789", "sk-other-0123456789")
    third = set_stage(tmp_path, vendors, changed, key="sk-other-0123456789")
    try:
        assert third.usage()["balance"] == pytest.approx(10 - used), "credit is granted once"
        assert third.usage("sk-app-0123456789")["used"] == used, "what is no longer named stays"
        assert len(third.manage("price", "list", "--own", "--history")) == len(prices) + 1
        code, out, _ = third.shell("doctor")
        assert code in (0, 1) and "app" in out, "doctor tells of what the file no longer names"
        third.manage("key", "disable", "alice/b", code=1)  # it belongs to the file
        third.sound()
    finally:
        assert third.stop() == 0
