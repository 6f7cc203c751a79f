"""What becomes of copies that a provider may have lost, where it refuses a call that names them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.relay import passing_asked
from unigate.relay.passing_asked import Asked, Told

FILES = {f"file-{number:03}": f"theirs-{number}" for number in range(300)}


class Copies:
    """Copies of which some are lost, counting who is asked for."""

    def __init__(self, *lost: str) -> None:
        self.gone = lost
        self.asked: list[str] = []

    async def lost(self, candidate: object, row: str, upstream_id: str) -> bool:
        """Whether that one is lost."""
        assert FILES[row] == upstream_id
        self.asked.append(row)
        return row in self.gone


async def ask(copies: Copies, refusal: bytes) -> bool:
    rows: Any = {id: id for id in FILES}
    asked = Asked(value=None, form=None, places={}, query="", files=rows, models={}, model="", place=None)
    told = Told(body=b"", places={}, query="", files=FILES)
    svc = cast(Any, SimpleNamespace(copies=copies))
    return await passing_asked.lost(svc, asked, told, cast(Any, None), refusal)


@pytest.mark.parametrize(
    ("refusal", "most"), [(b"No such thing.", 10), (b"'file-007' and 'file-008' are no pictures.", 2)]
)
async def test_a_refusal_that_is_about_no_lost_copy_costs_few_questions(refusal: bytes, most: int) -> None:
    copies = Copies()
    assert await ask(copies, refusal) is False
    assert len(copies.asked) == most


async def test_all_lost_copies_are_found_where_one_is_named() -> None:
    copies = Copies("file-200", "file-299")
    assert await ask(copies, b"No such File: file-200") is True
    assert copies.asked[0] == "file-200"
    assert sorted(copies.asked) == sorted(FILES)
