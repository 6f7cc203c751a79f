"""What every file says, and what none of them may say."""

import ast
import re

from support.tree import ROOT, files, modules, name, parse

#: Registries of packages: a lock file that names one works only where that one is reached.
REGISTRIES = [("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("registry", "yarnpkg", "com")]
REGISTRIES += [("static", "crates", "io"), ("deb", "debian", "org")]
HOSTS = re.compile("|".join(re.escape(".".join(parts)) for parts in REGISTRIES))
#: Places on the machine of whoever wrote the file.
PATHS = re.compile(r"(?<![\w.:/])/(?:root|work|Users/\w+|home/\w+)/\w")
#: Larger files are pictures and recordings.
MOST_BYTES = 2_000_000


def texts() -> dict[str, str]:
    found = {}
    for path in files():
        if path.stat().st_size <= MOST_BYTES:
            found[name(path)] = path.read_text(encoding="utf-8", errors="replace")
    return found


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name(path)
        for path in [*modules(), *modules(ROOT / "tests"), *modules(ROOT / "bench")]
        if not ast.get_docstring(parse(path))
    ]
    assert silent == []


def test_the_patterns_see() -> None:
    assert HOSTS.search("https://files." + ".".join(REGISTRIES[1]) + "/packages")
    assert PATHS.search("see ~/notes".replace("~", "/home" + "/somebody"))
    assert not PATHS.search("https://example.com/work/x")


def test_no_file_names_a_package_registry() -> None:
    assert [f"{path}: {found[0]}" for path, text in texts().items() if (found := HOSTS.search(text))] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert [f"{path}: {found[0]}" for path, text in texts().items() if (found := PATHS.search(text))] == []


def test_locked_requirements_have_hashes_and_no_address() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.name for lock in locks] >= ["run.txt", "test.txt"]
    for lock in locks:
        text = lock.read_text(encoding="utf-8").replace("\\\n", "")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)
        for line in filter(None, text.splitlines()):
            assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line
