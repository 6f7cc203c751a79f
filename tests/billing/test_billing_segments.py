"""The files of a journal: their names, their locks, and what is left of the dead."""

import asyncio
import os
from pathlib import Path

import pytest
from billing_keeper import Keeper, some

from unigate.billing import segments
from unigate.spec.terms import Terms


async def test_the_lock_is_held_for_life(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=2048))
    keeper.journal.open()
    for one in some(30):
        keeper.append(one)
    await asyncio.sleep(0)
    numbers = segments.published(tmp_path)["prc_1"]
    paths = [segments.path_of(tmp_path, "prc_1", n) for n in numbers]
    assert len(paths) > 1
    assert [segments.try_lock(p) for p in paths] == [None] * len(paths), "rotated ones too"
    await keeper.journal.close()
    for path in paths:
        fd = segments.try_lock(path)
        assert fd is not None
        os.close(fd)


async def test_two_starters_on_one_journal(tmp_path: Path) -> None:
    """The second neither gets the lock nor the name of what the first has begun."""
    first = segments.create(tmp_path, "prc_1.1", 100)
    with pytest.raises(FileExistsError):
        segments.create(tmp_path, "prc_1.1", 100)
    assert segments.try_lock(first.path) is None
    first.publish("prc_1", 1)
    assert segments.try_lock(first.path) is None
    first.close()


def test_what_is_no_segment_is_left_alone(tmp_path: Path) -> None:
    for name in (
        "mover.lock",
        "x.journal",
        "prc_1.abc.journal",
        "prc_1.00000001.journal.bak",
        "prc_1.00000002.journal",
    ):
        (tmp_path / name).touch()
    assert segments.published(tmp_path) == {"prc_1": [2]}


def test_unfinished_files_of_the_dead_are_swept(tmp_path: Path) -> None:
    living = segments.create(tmp_path, "prc_1.1", 100)
    for name in ("prc_1.1.new", "prc_2.1.new"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "prc_3.1.new").touch()
    assert segments.sweep(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prc_1.1.new", "prc_3.1.new"], "one lives, one is young"
    (tmp_path / "prc_3.1.new").unlink()
    living.publish("prc_1", 1)
    assert [p.name for p in tmp_path.iterdir()] == ["prc_1.00000001.journal"]
    living.close()
