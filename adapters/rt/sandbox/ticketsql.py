"""The part of RT's query language that the adapter uses, turned into a test of rows."""

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

Test = Callable[[Mapping[str, object]], bool]
Special = Callable[[str, str, str], Test | None]

_TOKEN = re.compile(r"\s*(?:(\(|\)|!=|>=|<=|=|>|<)|'([^']*)'|([\w.]+))")
_OPERATORS: Mapping[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": lambda one, other: int(str(one)) > int(str(other)),
    "<": lambda one, other: int(str(one)) < int(str(other)),
    ">=": lambda one, other: int(str(one)) >= int(str(other)),
    "<=": lambda one, other: int(str(one)) <= int(str(other)),
}


class QueryError(ValueError):
    """A query that RT would refuse, in its words."""


def parse(query: str, known: Collection[str], special: Special) -> Test:
    """Read a query on known fields; `special` may answer (field, operator, value) by itself."""
    return _Reader(query, known, special).whole()


@dataclass(frozen=True, slots=True)
class _Equal:
    """A test whose alternatives can be looked up together: a query names a hundred ids."""

    field: str
    value: str

    def __call__(self, row: Mapping[str, object]) -> bool:
        return str(row[self.field]) == self.value


def _either(tests: Sequence[Test]) -> Test:
    """Give a test that is met when any of these is."""
    values: dict[str, set[str]] = {}
    others = [test for test in tests if not isinstance(test, _Equal)]
    for test in tests:
        if isinstance(test, _Equal):
            values.setdefault(test.field, set()).add(test.value)
    return lambda row: (
        any(str(row[field]) in found for field, found in values.items())
        or any(test(row) for test in others)
    )


class _Reader:
    def __init__(self, query: str, known: Collection[str], special: Special) -> None:
        self._tokens = [
            found[1] or (f"'{found[2]}" if found[2] is not None else found[3])
            for found in _TOKEN.finditer(query)
        ]
        self._known = known
        self._special = special
        self._at = 0

    def whole(self) -> Test:
        test = self._any()
        if self._at < len(self._tokens):
            raise QueryError(f"Incorrect query, expecting an AGGREGATOR near {self._tokens[-1]}")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else _either(tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise QueryError("Incomplete query, unclosed paren")
            return inner
        field, sign, value = (self._next() for _ in range(3))
        if field not in self._known:
            raise QueryError(f"Unknown field: {field}")
        own = self._special(field, sign, value.removeprefix("'"))
        if own is not None:
            return own
        compare = _OPERATORS.get(sign)
        if compare is None:
            raise QueryError(f"Incorrect query, expecting an OPERATOR near {sign}")
        wanted = value.removeprefix("'")
        if sign == "=":
            return _Equal(field, wanted)
        return lambda row: compare(str(row[field]), wanted)

    def _take(self, token: str) -> bool:
        met = self._at < len(self._tokens) and self._tokens[self._at].upper() == token
        self._at += met
        return met

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise QueryError("Incomplete query")
        self._at += 1
        return self._tokens[self._at - 1]
