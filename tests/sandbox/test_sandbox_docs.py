"""The page about the sandbox names all that it can do."""

from pathlib import Path

import pytest

from unigate.sandbox.serving import faults
from unigate.sandbox.serving.face import faces

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*faults.ACTIONS, *faults.CONDITIONS])
def test_every_part_of_a_fault_is_documented(name: str) -> None:
    assert f"| `{name}`" in PAGE or f"| `{name}:" in PAGE


@pytest.mark.parametrize("face", faces(), ids=lambda face: face.name)
def test_every_vendor_is_documented(face: object) -> None:
    assert f"| {getattr(face, 'title')} |" in PAGE  # noqa: B009
    assert f"`/{getattr(face, 'name')}{getattr(face, 'base')}`" in PAGE  # noqa: B009


@pytest.mark.parametrize("marker", ["fault", "pace", "speed", "tokens", "reply", "refuse", "filter"])
def test_every_marker_is_documented(marker: str) -> None:
    assert f"`[[{marker}" in PAGE
