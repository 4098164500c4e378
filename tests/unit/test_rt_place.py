"""A place in the stream of transactions: which numbers are still looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rt.place import WINDOW, Place
from connector.errors import Rejected
from connector.model import Cursor


def missing(place: Place) -> set[int]:
    return {n for first, last in place.gaps() for n in range(first, last + 1)}


def test_numbers_that_were_passed_over_are_looked_for() -> None:
    place = Place(0, 0).after([3, 4, 8])
    assert (place.last, place.gaps()) == (8, [(1, 2), (5, 7)])
    assert place.after([6]).gaps() == [(1, 2), (5, 5), (7, 7)]


def test_what_lies_further_back_is_forgotten() -> None:
    place = Place(0, 0).after([1, WINDOW + 1])
    assert min(missing(place)) == 2
    assert missing(Place(0, 0).after([1, 10_000])) == set(range(10_000 - WINDOW, 10_000))


@given(st.lists(st.integers(1, 400), unique=True, max_size=150))
def test_a_number_is_looked_for_exactly_while_it_is_near_and_unseen(numbers: list[int]) -> None:
    place = Place(0, 0)
    for number in numbers:
        assert number > place.last or number in missing(place) or number < place.last - WINDOW
        place = place.after([number])
        assert place == Place.read(place.cursor)
        assert number not in missing(place)
        assert len(missing(place)) <= WINDOW
    near = set(range(max(place.last - WINDOW, 1), place.last))
    assert missing(place) >= near - set(numbers)


@pytest.mark.parametrize(
    "cursor", ["", "12", "12.", ".f", "12.F", "12.0x1", "-1.0", "12.0 ", "１.0"]
)
def test_another_desks_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected):
        Place.read(Cursor(cursor))
