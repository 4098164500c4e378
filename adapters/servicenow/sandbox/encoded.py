"""Encoded queries as an instance reads them: what it cannot read, it drops and runs the rest."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.servicenow.sandbox.schema import FIELDS, REFERENCES, TIMES
from adapters.servicenow.sandbox.state import DeskState, Row, stamp

_CONDITION = re.compile(
    r"([a-z0-9_.]+)(>=|<=|!=|=|>|<|NOT IN|IN|ISNOTEMPTY|ISEMPTY|STARTSWITH|LIKE)(.*)", re.DOTALL
)
_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda held, wanted: held.casefold() == wanted.casefold(),
    "!=": lambda held, wanted: held.casefold() != wanted.casefold(),
    ">": lambda held, wanted: held > wanted,
    ">=": lambda held, wanted: held >= wanted,
    "<": lambda held, wanted: bool(held) and held < wanted,
    "<=": lambda held, wanted: bool(held) and held <= wanted,
    "IN": lambda held, wanted: held in wanted.split(","),
    "NOT IN": lambda held, wanted: held not in wanted.split(","),
    "ISEMPTY": lambda held, _wanted: not held,
    "ISNOTEMPTY": lambda held, _wanted: bool(held),
    "STARTSWITH": lambda held, wanted: held.casefold().startswith(wanted.casefold()),
    "LIKE": lambda held, wanted: wanted.casefold() in held.casefold(),
}


@dataclass(frozen=True, slots=True)
class _Test:
    field: str
    operator: str
    value: str


def selected(state: DeskState, table: str, query: str) -> list[Row]:
    """Give the rows that a query selects, in its order."""
    rows = list(state.tables[table].values())
    parts, orders = _parsed(table, query)
    if any(test is None for part in parts for test in part):
        if state.invalid_query_returns_no_rows:
            return []
        parts = [[test for test in part if test is not None] for part in parts]
    tests: list[list[_Test]] = [[each for each in part if each is not None] for part in parts]
    rows = [row for row in rows if any(_passes(state, table, row, part) for part in tests)]
    for order in reversed(orders):
        field = order.removeprefix("DESC")
        rows.sort(key=lambda row: row.get(field, ""), reverse=order.startswith("DESC"))
    return rows


def _parsed(table: str, query: str) -> tuple[list[list[_Test | None]], list[str]]:
    """Read parts joined by `^NQ`, each a list of conditions, `None` for one that is unknown."""
    orders: list[str] = []
    parts: list[list[_Test | None]] = [[]]
    for piece in query.split("^"):
        if piece.startswith("ORDERBY"):
            orders.append(piece.removeprefix("ORDERBY"))
            continue
        if piece.startswith("NQ"):
            parts.append([])
        if piece.removeprefix("NQ"):
            parts[-1].append(_test(table, piece.removeprefix("NQ")))
    return parts, orders


def _test(table: str, piece: str) -> _Test | None:
    found = _CONDITION.fullmatch(piece)
    if found is None or not known(table, found[1]):
        return None
    return _Test(*found.groups())


def known(table: str, path: str) -> bool:
    """Whether a table has a field, or a reference that leads to one."""
    name, _, rest = path.partition(".")
    if name not in FIELDS.get(table, ()):
        return False
    target = REFERENCES.get(table, {}).get(name)
    return known(target, rest) if rest and target else not rest


def _passes(state: DeskState, table: str, row: Row, tests: Iterable[_Test]) -> bool:
    return all(
        _COMPARE[test.operator](
            state.value(table, row, test.field), _literal(state, test.field, test.value)
        )
        for test in tests
    )


def _literal(state: DeskState, field: str, value: str) -> str:
    """Read a time in a query in the account's own zone, as some instances do."""
    if field not in TIMES or not state.zone_hours or not value:
        return value
    local = datetime.fromisoformat(f"{value}+00:00")
    return stamp(local - timedelta(hours=state.zone_hours))


def page(rows: Sequence[Row], offset: int, limit: int) -> tuple[Sequence[Row], bool]:
    """Cut a page out of rows; tells whether more come after it."""
    return rows[offset : offset + limit], offset + limit < len(rows)
