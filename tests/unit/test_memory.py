"""Memory is given back once for every swap, and not before those who used it are done."""

from serve.memory import LOOKS, Sweeper, give_back


def test_once_for_every_swap() -> None:
    sweeper = Sweeper()
    names = ["1"] * 50 + ["2"] * 50 + ["3"] * 5 + ["4"] * 50
    due = [place for place, name in enumerate(names) if sweeper.is_due("demo", name)]
    assert due == [50 + LOOKS, 105 + LOOKS]


def test_desks_are_told_apart() -> None:
    sweeper = Sweeper()
    looks = [("demo", "1"), ("other", "7")] * 2 + [("demo", "2"), ("other", "7")] * 30
    assert [desk for desk, name in looks if sweeper.is_due(desk, name)] == ["demo"]


def test_to_give_back_takes_no_error() -> None:
    give_back()
    give_back()
