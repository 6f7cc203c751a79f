"""What a process knows of the tasks that it keeps: when each is due, and until when it is its own."""

from unigate.spec.task import Task
from unigate.store.tasks import TaskRow
from unigate.tasks.kept import Kept


def row(id: str, version: int = 1) -> TaskRow:
    task = Task(
        id=id,
        called="test.many",
        operation="test.film",
        dialect="test",
        user_id="usr_1",
        key_id="key_1",
        model="film",
        state="running",
        input={},
        conditions={},
        created_at=1,
        deadline_at=10**15,
        version=version,
    )
    return TaskRow(
        task=task,
        number=1,
        group_name="default",
        units={},
        upstream_model="",
        body=b"",
        secret="",
        hold_id="",
        quote={},
        attempts="",
    )


def ids(rows: list[TaskRow]) -> list[str]:
    return [one.task.id for one in rows]


def test_what_is_due_first_comes_first_and_only_once() -> None:
    kept = Kept()
    for id, due in (("a", 30), ("b", 10), ("c", 20), ("d", 99)):
        kept.adopt(row(id), due, 1000)
    assert kept.next == 10
    assert ids(kept.due(30, 2)) == ["b", "c"]
    assert ids(kept.due(30, 9)) == ["a"]
    assert kept.due(98, 9) == [] and kept.next == 99


def test_a_date_that_was_changed_counts() -> None:
    kept = Kept()
    kept.adopt(row("a"), 10, 1000)
    for due in (40, 50):
        (one,) = kept.due(60, 9)
        kept.rest(one, due)
    assert kept.next == 50
    assert kept.due(49, 9) == []


def test_whose_lease_ended_is_forgotten_at_rest_or_busy() -> None:
    kept = Kept()
    kept.adopt(row("a"), 10, 100)
    kept.adopt(row("b"), 10, 100)
    kept.adopt(row("c"), 10, 200)
    (busy,) = kept.due(10, 1)
    assert kept.lose(99) == 0
    assert kept.lose(100) == 2
    kept.rest(busy, 10)
    assert ids(kept.due(150, 9)) == ["c"]
    kept.rest(row("c"), 10)
    assert kept.due(200, 9) == []  # nobody had looked whether leases ended


def test_leases_that_end_first_are_prolonged_first() -> None:
    kept = Kept()
    for id, until in (("a", 100), ("b", 110), ("c", 120)):
        kept.adopt(row(id), 10, until)
    assert kept.ending(120, 9) == ["a", "b"]
    assert kept.ending(120, 1) == ["a"]
    kept.prolonged(["a", "b"], {"a"}, 300)
    assert kept.ending(1000, 9) == ["c", "a"]
    assert len(kept) == 2


def test_one_that_is_claimed_again_while_it_is_busy_is_looked_at_when_it_rests() -> None:
    kept = Kept()
    assert ids(kept.taken([row("a")], 100)) == ["a"]
    assert kept.taken([row("a")], 200) == []
    kept.rest(row("a"), 10**9)
    assert ids(kept.due(1, 9)) == ["a"]


def test_one_that_is_claimed_again_at_rest_stays_as_it_is_known_unless_it_changed() -> None:
    kept = Kept()
    known = row("a")
    kept.adopt(known, 10**9, 100)
    assert kept.taken([row("a")], 200)[0] is known
    kept.rest(known, 10**9)
    changed = row("a", version=2)
    assert kept.taken([changed], 200)[0] is changed
    assert kept.next is None


def test_what_work_left_behind_is_not_kept() -> None:
    kept = Kept()
    given = kept.taken([row("a"), row("b")], 100)
    kept.rest(given[0], 50)
    kept.done(given)
    assert ids(kept.due(50, 9)) == ["a"]
    assert kept.ending(10**9, 9) == ["a"]


def test_everything_at_rest_is_left_with_its_date() -> None:
    kept = Kept()
    kept.adopt(row("a"), 10, 100)
    kept.adopt(row("b"), 20, 100)
    assert [(one.task.id, due) for one, due in kept.leave()] == [("a", 10), ("b", 20)]
    assert len(kept) == 0 and kept.next is None


def test_thousands_of_dates_leave_nothing_behind() -> None:
    kept = Kept()
    kept.adopt(row("a"), 0, 10**9)
    for at in range(5000):
        (one,) = kept.due(at, 1)
        kept.rest(one, at + 1)
        kept.rest(one, at + 1)
    assert len(kept._order) < 3000
