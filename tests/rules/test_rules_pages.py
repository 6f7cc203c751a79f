"""What the pages say is true: links, counts, commands, settings, keys of the file, routes; and both languages agree."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.main import get_command

from support.tree import ROOT, modules
from unigate.base import settings
from unigate.base.config_reader import Reader
from unigate.base.live_settings import LiveSettings
from unigate.cli import app
from unigate.dialects import operations
from unigate.http.api.app import ROUTERS
from unigate.http.api.routes import ROUTES
from unigate.providers import catalogue

PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
PAIRS = [("README.md", "README.zh-CN.md"), ("docs/suno.md", "docs/suno.zh-CN.md")]
#: Names that the environment would have where the pages' files are used.
VARIABLES = {name: "something-secret" for text in TEXTS.values() for name in re.findall(r"\$([A-Z][A-Z_]+)\b", text)}


def text(name: str) -> str:
    return TEXTS[ROOT / name]


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Where a page's links within the project lead: a file, and a heading or nothing."""
    for address in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", TEXTS[page])):
        if "://" not in address:
            name, _, heading = address.partition("#")
            yield (page.parent / name).resolve() if name else page, heading


def headings(page: Path) -> set[str]:
    """Headings of a page in the form in which links name them."""
    lines = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", TEXTS[page], flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_links_lead_somewhere() -> None:
    lost = [
        f"{page.name}: {to.name}#{heading}"
        for page in PAGES
        for to, heading in links(page)
        if not to.exists() or (heading and heading not in headings(to))
    ]
    assert lost == []


def test_every_page_is_led_to() -> None:
    reached = {to for page in PAGES for to, _ in links(page)}
    assert [page.name for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=lambda page: page.name)
def test_examples_of_the_file_can_be_read(page: Path) -> None:
    for block in blocks(page, "yaml"):
        Reader(page.name, VARIABLES).parse(block.encode(), settings.Config)


def test_the_keys_of_the_file_are_told() -> None:
    page = text("docs/configuration.md") + text("docs/operation.md")
    sections = (
        settings.Config, settings.Server, settings.Storage, settings.Telemetry, settings.ChannelEntry,
        settings.PriceEntry, settings.GroupEntry, settings.UserEntry, settings.KeyEntry,
    )  # fmt: skip
    names = {field.encode_name for section in sections for field in msgspec.structs.fields(section)} - {"at"}
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", page)) == []


def test_settings_are_told_with_their_defaults() -> None:
    told = dict(
        re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", text("docs/configuration.md").split("### settings")[1], re.MULTILINE)
    )
    usual = msgspec.json.decode(msgspec.json.encode(LiveSettings()))
    usual["midjourney"]["banned_words"] = ["..."]
    usual["notify"]["low_balance_usd"] = int(usual["notify"]["low_balance_usd"])
    assert {name: yaml.safe_load(value) for name, value in told.items()} == usual


def test_routes_of_the_management_api_are_told_with_their_roles() -> None:
    told: dict[tuple[str, str], str] = {}
    for line in text("docs/management-api.md").splitlines():
        if line.startswith("| `"):
            _, calls, role, _ = re.split(r"(?<!\\)\|", line, maxsplit=3)
            told |= dict.fromkeys(_calls(calls), role.strip())
    assert ROUTERS
    assert told == {(rule.method, _shape(rule.path)): rule.role or "open" for rule in ROUTES}


def _calls(cell: str) -> Iterator[tuple[str, str]]:
    """Each method and path of a cell: methods count for the next path, a path without one is another to GET."""
    methods: list[str] = []
    for span in re.findall(r"`([^`]+)`", cell):
        words = span.split()
        methods += [word for word in words if word.isupper()]
        for path in (word for word in words if word.startswith("/")):
            yield from ((method, _shape(path)) for method in methods or ["GET"])
            methods = []


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_readme_counts_and_names_what_there_is() -> None:
    for name in PAIRS[0]:
        counts = re.findall(r"^\| (\d+) (?:providers|家厂商)", text(name), re.MULTILINE)
        assert counts == [str(len(catalogue()))], name
    served = {_shape(pattern) for operation in operations() for pattern in (operation.path, *operation.aliases)}
    named = re.findall(r"(?:GET|POST|DELETE) (/v1/[^`\s*]+)`", text("README.md"))
    assert len(named) > 10
    assert [path for path in named if _shape(path) not in served] == []


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_name_the_same(english: str, chinese: str) -> None:
    """As many rows in tables, and the same paths, commands, fields and files."""
    rows = [len(re.findall(r"^\|", text(name), re.MULTILINE)) for name in (english, chinese)]
    assert rows[0] == rows[1]
    assert _names(english) == _names(chinese)


def _names(page: str) -> set[str]:
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE)
    spans = map(_shape, re.findall(r"`([^`\n]+)`", prose))
    return {span for span in spans if re.fullmatch(r"([A-Z]+ )?[/\w.:{}-]+", span, re.ASCII)}


def test_files_that_pages_name_are_there() -> None:
    made_up = {
        "src/unigate/providers/harbour.py",
        "src/unigate/providers/lantern.py",
        "bench/results.json",
        "DATA/demo.json",
    }
    folders = (ROOT, ROOT / "src" / "unigate", ROOT / "src" / "unigate" / "sandbox", ROOT / "docs")
    named = {
        (page.name, found)
        for page in PAGES
        for found in re.findall(r"`((?:\w+/)+\w+\.(?:py|json|md)|\w+\.py)`", TEXTS[page])
        if found not in made_up
    }
    assert len(named) > 60
    there = {path.name for path in modules(ROOT)}
    assert (
        sorted(one for one in named if not (any((folder / one[1]).exists() for folder in folders) or one[1] in there))
        == []
    )


def test_providers_without_a_list_of_models_are_told() -> None:
    said = {
        name
        for name, row in re.findall(r"^\| `(\w+)` \|(.*)", text("docs/providers.md"), re.MULTILINE)
        if "No list of models" in row
    }
    assert said == {name for name, provider in catalogue().items() if not provider.models_path}


def commands() -> dict[str, set[str]]:
    """Each command of the program with its options."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, path: str) -> None:
        context = command.make_context("unigate", [], resilient_parsing=True)
        found[path] = {
            word for one in command.params for word in (*one.opts, *one.secondary_opts) if word.startswith("-")
        }
        for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
            walk(command.get_command(context, name), f"{path} {name}".strip())

    walk(get_command(app), "")
    return found


def test_commands_of_the_pages_exist_with_their_options() -> None:
    known = commands()
    assert "--install-completion" not in {option for options in known.values() for option in options}
    wrong, seen = [], 0
    for page in PAGES:
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        for said in [*lines, *re.findall(r"`(unigate [^`]+)`", TEXTS[page])]:
            for call in re.findall(r"(?:^|[\s/])unigate ((?:[a-z]+ ?)+[^#|]*)", said):
                seen += 1
                words = call.split()
                path = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
                options = set(re.findall(r"(?<=\s)--[a-z-]+", " " + call.split("'")[0])) - {"--help", "--json"}
                if path not in known or not options <= known[path]:
                    wrong.append(f"{page.name}: unigate {call}")
    assert seen > 60
    assert wrong == []


def test_what_moves_from_another_gateway_can_be_read(tmp_path: Path) -> None:
    """The program of the page, on the tables of the old gateway; accounts that are disabled or deleted stay behind."""
    database = tmp_path / "old.db"
    connection = sqlite3.connect(database)
    connection.executescript(
        """
        CREATE TABLE options (key TEXT, value TEXT);
        CREATE TABLE users (id INT, username TEXT, status INT, email TEXT, quota INT, "group" TEXT, deleted_at TEXT);
        CREATE TABLE tokens (id INT, user_id INT, key TEXT, status INT, name TEXT, expired_time INT, remain_quota INT,
            unlimited_quota INT, model_limits_enabled INT, model_limits TEXT, allow_ips TEXT);
        INSERT INTO options VALUES ('GroupRatio', '{"default": 1, "vip": 0.85}');
        INSERT INTO users VALUES (1, 'ann', 1, '', 1234567, 'vip', NULL), (2, '$bo', 1, 'b@example.com', -3, '', NULL),
            (3, 'cy', 2, '', 5, 'default', NULL), (4, 'di', 1, '', 5, 'default', '2026-01-01');
        INSERT INTO tokens VALUES (7, 1, 'aaaaaaaa', 1, 'app', -1, 250001, 0, 1, 'm-1,m-2', '10.0.0.0/8
192.168.1.5'), (8, 2, 'bbbbbbbb', 1, '', 1900000000, 0, 1, 0, '', NULL), (9, 3, 'cccccccc', 1, 'x', -1, 0, 1, 0, '', '');
        """
    )
    connection.close()
    program = blocks(ROOT / "docs" / "running.md", "python")[0]
    done = subprocess.run([sys.executable, "-c", program, str(database)], capture_output=True, text=True, check=True)
    found = Reader("moved", {}).parse(done.stdout.encode(), settings.Config)
    assert {group.name: group.multiplier for group in found.groups} == {"default": 1_000_000, "vip": 850_000}
    assert [(user.name, user.email, user.group, user.credit) for user in found.users] == [
        ("ann", None, "vip", 2_469_134_000), ("$bo", "b@example.com", "default", 0),
    ]  # fmt: skip
    first, second = found.keys
    assert (first.name, first.user, first.secret.reveal(), first.models) == (
        "app-7",
        "ann",
        "sk-aaaaaaaa",
        ["m-1", "m-2"],
    )
    assert ([str(one) for one in first.addresses], first.budget.total) == (
        ["10.0.0.0/8", "192.168.1.5/32"],
        500_002_000,
    )
    assert (first.expires, second.expires, second.budget.total) == (None, 1_900_000_000_000, None)
    assert (second.name, second.user) == ("key-8", "$bo")
