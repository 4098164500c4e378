"""What a desk answers otherwise than it promised: the call is tried again, and nothing breaks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from connector.errors import Retry

CallP = ParamSpec("CallP")
AnswerT = TypeVar("AnswerT")

_MISREAD = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What reading JSON of another shape ends in; none of our errors is among them."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn a failure to read an answer into `Retry`, without quoting the answer."""
    try:
        yield
    except _MISREAD as error:
        raise Retry(f"{what}: the answer cannot be read ({type(error).__name__})") from None


def read_safely(call: Callable[CallP, AnswerT]) -> Callable[CallP, AnswerT]:
    """Have a method raise `Retry` when an answer cannot be read."""

    @wraps(call)
    def guarded(*args: CallP.args, **kwargs: CallP.kwargs) -> AnswerT:
        with reading(call.__name__):
            return call(*args, **kwargs)

    return guarded


def paged_safely(
    call: Callable[CallP, Iterator[AnswerT]],
) -> Callable[CallP, Iterator[AnswerT]]:
    """Do the same for a method that yields pages."""

    @wraps(call)
    def guarded(*args: CallP.args, **kwargs: CallP.kwargs) -> Iterator[AnswerT]:
        with reading(call.__name__):
            yield from call(*args, **kwargs)

    return guarded
