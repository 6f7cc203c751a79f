"""The command line: what it prints for people and programs, and its exit codes."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from unigate import __version__
from unigate.cli import main

FILE = """
secret: a secret that is long enough
channels: [{name: main, provider: openai, credentials: [sk-upstream-12345], models: [gpt-4o-mini]}]
prices: [{model: gpt-4o-mini, input: 0.15, output: 0.6}]
users: [{name: alice, credit: 10}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


class Shell:
    """Runs `unigate` in this process on a data directory of the test's own."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._patch = monkeypatch
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._patch.setattr(sys, "argv", ["unigate", *words])
        self._patch.setenv("UNIGATE_DATA", str(self.data))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        seen = self._capsys.readouterr()
        return code, seen.out, seen.err

    def json(self, *words: str, code: int = 0) -> Any:
        """What a command prints with --json."""
        found, out, err = self.run(*words, "--json")
        assert found == code, (out, err)
        assert out.count("\n") == 1
        return json.loads(out)

    def refused(self, *words: str, code: int) -> str:
        """The one line that a refused command leaves on standard error."""
        found, out, err = self.run(*words)
        assert (found, out) == (code, ""), (found, out, err)
        lines = [line for line in err.splitlines() if "made a secret" not in line]
        assert len(lines) == 1 and lines[0].startswith("unigate: "), err
        return lines[0].removeprefix("unigate: ")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    for variable in [name for name in os.environ if name.startswith("UNIGATE_")]:
        monkeypatch.delenv(variable)
    yield Shell(tmp_path / "data", monkeypatch, capsys)
    structlog.reset_defaults()  # else later tests would log to this test's standard error


def test_users_and_groups(shell: Shell) -> None:
    shell.json("group", "create", "team", "--multiplier", "1.25")
    made = shell.json("user", "create", "alice", "--email", "a@x.org", "--group", "team", "--credit", "12.5")
    assert (made["balance"], made["role"], made["group"], made["can_sign_in"]) == ("12.5", "user", "team", False)
    assert made["created_at"].endswith("+00:00")
    assert shell.json("user", "topup", "alice", "0.000000001")["balance"] == "12.500000001"
    for _ in range(2):
        assert shell.json("user", "topup", "alice", "1", "--id", "p-1")["balance"] == "13.500000001"
    taken = shell.json("user", "takeback", "alice", "100")
    assert (taken["balance"], taken["taken"]) == ("0", "13.500000001")
    assert shell.json("user", "set", "a@x.org", "--role", "operator")["role"] == "operator"
    assert shell.json("user", "disable", "alice")["enabled"] is False
    assert shell.json("user", "enable", "alice")["enabled"] is True
    assert [group["multiplier"] for group in shell.json("group", "list")] == ["1", "1.25"]
    assert shell.json("group", "set", "team", "--multiplier", "0.5")["multiplier"] == "0.5"
    assert shell.json("group", "disable", "team")["enabled"] is False
    _, out, _ = shell.run("user", "list")
    assert out.splitlines()[0].split()[:4] == ["name", "email", "role", "group"]
    assert "alice" in out and "a@x.org" in out


def test_a_password_from_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = tmp_path / "input"
    given.write_text("correct horse\n")
    with given.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        made = shell.json("user", "create", "root", "--role", "owner", "--email", "r@x.org", "--password", "-")
        assert made["can_sign_in"] is True
        assert "nothing on standard input" in shell.refused("user", "set", "root", "--password", "-", code=2)


def test_keys(shell: Shell) -> None:
    shell.json("user", "create", "alice")
    made = shell.json(
        "key", "create", "app", "--user", "alice", "--model", "gpt-*", "--model", "o1", "--address", "10.0.0.0/8",
        "--budget-total", "50", "--budget-day", "0.5", "--rpm", "60", "--expires", "2030-01-01", "--no-user-view",
    )  # fmt: skip
    assert made["secret"].startswith("sk-") and len(made["secret"]) == 51
    assert (made["models"], made["addresses"], made["rpm"]) == (["gpt-*", "o1"], ["10.0.0.0/8"], 60)
    assert made["budgets"] == {"day": "0.5", "total": "50"}
    assert (made["expires"], made["user_view"], made["scopes"]) == ("2030-01-01T00:00:00+00:00", False, ["relay"])
    changed = shell.json("key", "set", "app", "--budget-day", "none", "--expires", "never", "--tpm", "9")
    assert (changed["budgets"], changed["expires"], changed["tpm"], changed["rpm"]) == ({"total": "50"}, None, 9, 60)
    asked = shell.json(
        "key", "set", "app", "--option", "midjourney_mode=relax", "--option", "midjourney_numeric_ids=true"
    )
    assert asked["options"] == {"midjourney_mode": "relax", "midjourney_numeric_ids": True}
    assert shell.json("key", "set", "app", "--option", "midjourney_mode=")["options"] == {
        "midjourney_numeric_ids": True
    }
    rotated = shell.json("key", "rotate", "alice/app")
    assert rotated["secret"] != made["secret"] and rotated["id"] == made["id"]
    assert shell.json("key", "disable", made["id"])["enabled"] is False
    shown = shell.json("key", "show", "app")
    assert "secret" not in shown and shown["last4"] == rotated["secret"][-4:]
    code, out, _ = shell.run("key", "rotate", "app")
    assert code == 0 and "shown this once" in out
    assert len(shell.json("key", "list", "--user", "alice")) == 1


def test_channels(shell: Shell) -> None:
    made = shell.json(
        "channel", "create", "main", "--provider", "openai_compatible", "--base-url", "http://127.0.0.1:9/v1",
        "--credential", "sk-upstream-12345", "--credential", "access_key=a,secret_key=bcd", "--model", "fast=gpt-4o",
        "--model", "gpt-4o", "--timeout", "connect=0.5", "--concurrency", "3", "--option", 'headers={"x-a": "b"}',
        "--option", "region=eu", "--priority", "2",
    )  # fmt: skip
    assert made["models"] == {"fast": "gpt-4o", "gpt-4o": "gpt-4o"}
    assert (made["timeouts"]["connect"], made["timeouts"]["total"], made["concurrency"]) == (0.5, 600.0, 3)
    assert made["options"] == {"headers": {"x-a": "***"}, "region": "eu"}
    assert [c["last4"] for c in made["credentials"]] == ["2345", ""]
    changed = shell.json("channel", "set", "main", "--rpm", "7", "--timeout", "idle=9", "--option", "region=")
    assert (changed["rpm"], changed["concurrency"], changed["priority"]) == (7, 3, 2)
    assert (changed["timeouts"]["connect"], changed["timeouts"]["idle"]) == (0.5, 9.0)
    assert changed["options"] == {"headers": {"x-a": "***"}}
    assert shell.json("channel", "disable", "main")["enabled"] is False
    (listed,) = shell.json("channel", "list")
    assert listed["enabled"] is False
    explained = shell.json("explain", "fast", code=1)
    assert [(one["name"], one["reason"]) for one in explained] == [("main", "disabled")]
    shell.json("channel", "enable", "main")
    (one,) = shell.json("explain", "fast")
    assert (one["offered"], one["upstream_model"]) == (True, "gpt-4o")
    tried = shell.json("channel", "test", "main", code=1)
    assert [(one["ok"], one["status"]) for one in tried] == [(False, 0), (False, 0)]


@pytest.mark.parametrize("cookie", ["__client=ab,c=d12345", "lang=en; __client=abc12345", "__client=abc12345; x=12345"])
def test_a_cookie_is_one_credential(shell: Shell, cookie: str) -> None:
    place = ("--provider", "suno_gcui", "--base-url", "http://127.0.0.1:9")
    made = shell.json("channel", "create", "songs", *place, "--credential", cookie, "--model", "suno")
    assert [one["last4"] for one in made["credentials"]] == ["2345"]


def test_prices_and_settings(shell: Shell) -> None:
    made = shell.json("price", "create", "--model", "a", "input=0.15", "output=0.6", "--when", "service_tier=flex")
    assert (made["rates"], made["when"], made["state"]) == (
        {"input": "0.15", "output": "0.6"}, {"service_tier": "flex"}, "holds",
    )  # fmt: skip
    assert "price set" in shell.refused(
        "price", "create", "--model", "a", "--when", "service_tier=flex", "input=1", code=1
    )
    image = shell.json("price", "set", "--model", "d", "per_image:1024x1024=0.04", "per_image:default=0.08")
    assert image["rates"] == {"per_image": {"1024x1024": "0.04", "default": "0.08"}}
    later = shell.json("price", "set", "--operation", "openai.chat", "per_call=1", "--from", "2999-01-01")
    assert (later["state"], later["starts"]) == ("to come", "2999-01-01T00:00:00+00:00")
    assert {view["id"] for view in shell.json("price", "list", "--own")} == {made["id"], image["id"], later["id"]}
    assert shell.json("price", "disable", image["id"])["state"] == "withdrawn"
    assert len(shell.json("price", "list", "--own")) == 2
    assert len(shell.json("price", "list", "--own", "--history")) == 3

    assert shell.json("settings", "set", "hold", '{"output_tokens": 9}')["value"] == {"output_tokens": 9}
    assert shell.json("settings", "set", "default_image_model", "123")["value"] == "123"
    assert shell.json("settings", "disable", "hold")["value"] == {"output_tokens": 4096}
    assert shell.json("settings", "show", "allow_unpriced")["default"] is False
    assert {row["name"] for row in shell.json("settings", "list")} >= {"credits_per_usd", "operations"}


def test_looking(shell: Shell) -> None:
    assert shell.run("version")[:2] == (0, f"unigate {__version__}\n")
    assert {"openai", "openai_compatible"} <= {one["name"] for one in shell.json("providers")}
    assert shell.json("migrate")["from"] is None
    again = shell.json("migrate")
    assert again["from"] == again["to"]
    found = shell.json("doctor", code=1)
    assert {one["about"] for one in found} == {"users", "channels"}
    shell.json("user", "create", "alice", "--credit", "3")
    assert shell.json("ledger", "check") == {"sound": True, "findings": [], "open_holds": 0, "held": "0", "in_use": "0"}
    assert "the books agree" in shell.run("ledger", "check")[1]


def test_books_that_do_not_agree_are_found(shell: Shell) -> None:
    shell.json("user", "create", "alice", "--credit", "3")
    with sqlite3.connect(shell.data / "unigate.db") as broken:
        broken.execute("UPDATE accounts SET granted = granted + 1, posted = posted + 1")
    broken.close()
    report = shell.json("ledger", "check", code=1)
    assert report["sound"] is False
    assert ("3.000000001", "3") in {(one["says"], one["adds_up_to"]) for one in report["findings"]}


def test_a_secret_is_made_and_told_once(shell: Shell) -> None:
    _, _, err = shell.run("user", "list")
    assert "made a secret" in err and str(shell.data / "secret") in err
    assert (shell.data / "secret").read_text().strip() not in err
    assert shell.run("user", "list")[2] == ""


def test_the_file_s_secret_is_used(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(FILE)
    shell.json("user", "create", "bob", "--config", str(file))
    assert not (shell.data / "secret").exists()
    assert "another secret" in shell.refused("user", "list", code=1)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("user", "show", "nobody"), 1, "There is no user 'nobody'."),
        (("user", "create", "default", "--group", "nobody"), 2, "There is no group 'nobody'."),
        (("group", "create", "default"), 1, "There is a group 'default' already."),
        (("user", "create", "x", "--role", "god"), 2, "A role is one of user, operator, owner, not 'god'."),
        (("user", "create", "x", "--credit", "lots"), 2, "--credit: expected an amount of USD, not 'lots'"),
        (("user", "topup", "x", "1.0000000001"), 2, "--usd: expected an amount of USD"),
        (("key", "set", "k", "--option", "midjourney_mode"), 2, "--option: expected NAME=VALUE, not 'midjourney_mode'"),
        (("key", "create", "k", "--user", "x", "--expires", "soon"), 2, "--expires: expected a date such as"),
        (("channel", "create", "c", "--provider", "nope"), 2, "There is no provider 'nope'; known are"),
        (
            ("channel", "create", "c", "--provider", "openai", "--timeout", "x=1"),
            2,
            "--timeout: expected one of connect",
        ),
        (("channel", "set", "c", "--option", "x"), 2, "--option: expected NAME=VALUE, not 'x'"),
        (("price", "set", "--model", "a", "inputs=1"), 2, "expected NAME=USD with a name of input,"),
        (("price", "set", "--model", "a", "input=1", "input=2"), 2, "input is given twice"),
        (("price", "set", "input=1"), 2, "A price names a model, an operation, or both."),
        (("settings", "set", "hold", "1"), 2, "hold: Expected `object`, got `int`"),
        (("settings", "show", "nope"), 2, "There is no setting 'nope'; known are"),
        (("explain", "gpt-4o", "--operation", "nope"), 1, "There is no operation 'nope'."),
        (("user", "list", "--config", "/nowhere.yaml"), 2, "/nowhere.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(shell: Shell, words: tuple[str, ...], code: int, says: str) -> None:
    assert shell.refused(*words, code=code).startswith(says)


@pytest.mark.parametrize("words", [("nope",), ("user", "nope"), ("user", "show"), ("user", "list", "--nope")])
def test_wrong_usage_is_exit_code_2(shell: Shell, words: tuple[str, ...]) -> None:
    code, out, err = shell.run(*words)
    assert (code, out) == (2, "") and err


def test_a_bad_file_is_named_before_anything_is_served(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text("server:\n  prot: 1\n")
    line = shell.refused("serve", "--config", str(file), code=2)
    assert line.startswith(f"{file}:2:3: unknown key 'prot'; known are host, port, workers")
    assert "--workers" in shell.run("serve", "--workers", "0")[2]


def test_a_program_of_its_own(tmp_path: Path, run_unigate: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run_unigate("user", "create", "alice", "--json", data=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["name"]) == (0, "alice")
    done = run_unigate("user", "show", "bob", data=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "unigate: There is no user 'bob'.\n"


def test_what_is_logged_stays_off_standard_output(
    tmp_path: Path, run_unigate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run_unigate("channel", "create", "c", "--provider", "openai", "--model", "a", "--option", "x=1", data=tmp_path)
    with sqlite3.connect(tmp_path / "unigate.db") as changed:
        changed.execute("UPDATE channels SET provider = 'gone'")
    changed.close()
    done = run_unigate("explain", "a", "--json", data=tmp_path)
    assert (done.returncode, done.stdout) == (1, "[]\n")
    assert "the provider of a channel is not installed" in done.stderr


@pytest.fixture
def run_unigate() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "unigate", *words, "--data", str(data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.parametrize("words", [("version",), ("--help",), ("user", "list", "--help")])
def test_what_needs_no_database_does_not_load_it(words: tuple[str, ...]) -> None:
    program = (
        "import atexit, sys; from unigate.cli import main\n"
        "atexit.register(lambda: print('loaded', *{'sqlalchemy', 'structlog', 'alembic'} & set(sys.modules)))\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    loaded = done.stdout.splitlines()[-1]
    assert (loaded == "loaded") is (words[0] != "user"), done
