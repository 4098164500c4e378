"""Answers of another shape end in our errors; `oddities.py` tries thousands for each desk."""

from collections.abc import Iterator

import pytest
from oddities import ALL, odd_answers

from adapters.answers import paged_safely, reading
from connector.errors import Retry


@pytest.mark.parametrize("name", sorted(ALL))
def test_whatever_a_desk_answers_only_our_errors_come_of_it(name: str) -> None:
    found = odd_answers(name, 60, seed=3)
    assert found.pop("ours") > 3
    assert not found


def test_what_cannot_be_read_is_tried_again_and_not_quoted() -> None:
    with pytest.raises(Retry, match=r"fetch: .*\(ValueError\)") as told, reading("fetch"):
        int("the ticket's text")
    assert "text" not in str(told.value.detail)


def test_pages_before_one_that_cannot_be_read_are_given() -> None:
    @paged_safely
    def pages() -> Iterator[int]:
        yield 1
        raise KeyError

    walk = pages()
    assert next(walk) == 1
    with pytest.raises(Retry, match="pages"):
        next(walk)
