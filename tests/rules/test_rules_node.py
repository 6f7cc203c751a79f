"""What the tests take from npm is locked, by content and not by address."""

import json

from support.tree import ROOT

FOLDER = ROOT / "tests" / "node"


def test_packages_are_locked_with_hashes_and_without_addresses() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: told for name, told in lock["packages"].items() if name}
    assert packages
    for name, told in packages.items():
        assert told["integrity"].startswith("sha512-"), name
        assert "resolved" not in told, name
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert lock["packages"][""]["dependencies"] == wanted["dependencies"]
    assert "omit-lockfile-registry-resolved=true" in (FOLDER / ".npmrc").read_text(encoding="utf-8")
