"""Encoded queries of the Table API, and the proof by its rows that an instance applied one.

An instance drops a condition on a field that it does not know, or that the account may not see, and
runs the rest: the answer then holds rows that nobody asked for, up to the whole table. So every row
is held against every condition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connector.errors import ConfigError

Json = Mapping[str, Any]
Operator = Literal["=", "IN", ">", ">="]

STAMP, SYS_ID = "sys_updated_on", "sys_id"


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator and a value; several are joined by AND."""

    field: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"

    def met_by(self, row: Json) -> bool:
        """Whether a row shows that it meets the condition; letters' case does not count."""
        if self.field not in row:
            return False
        shown, value = text_of(row[self.field]).casefold(), self.value.casefold()
        match self.operator:
            case "=":
                return shown == value
            case "IN":
                return shown in value.split(",")
            case ">":
                return shown > value
            case ">=":
                return shown >= value


Where = Sequence[Condition]


def text_of(value: object) -> str:
    """Give a value in any of its three shapes as text; a reference as the id of its row.

    With display values switched off, fields are text and references text or an object of `link` and
    `value`; switched on, references hold `display_value` and `link`, whose end is the id; with all,
    every field holds both. Empty is `""` in each.
    """
    if isinstance(value, Mapping):
        if "value" in value:
            return text_of(value["value"])
        link = text_of(value.get("link"))
        return link.rpartition("/")[2] if link else text_of(value.get("display_value"))
    return "" if value is None else str(value)


def encoded(where: Where, order: Iterable[str]) -> str:
    """Write conditions and sort keys as one encoded query; `-key` sorts the other way round."""
    keys = (f"ORDERBYDESC{key[1:]}" if key[0] == "-" else f"ORDERBY{key}" for key in order)
    return "^".join([*(str(each) for each in where), *keys])


def require_applied(table: str, where: Where, rows: Iterable[Json]) -> None:
    """Raise `ConfigError` when a row shows that the instance did not apply a condition.

    The tenant stops: to go on would take the whole table for news.
    """
    for row in rows:
        for condition in where:
            if not condition.met_by(row):
                raise ConfigError(
                    f"desk: {table}: the instance gave a row that `{condition.field}"
                    f"{condition.operator}…` excludes, so it did not apply that condition; let the "
                    f"account read {condition.field}, set its time zone to GMT, and have "
                    "glide.invalid_query.returns_no_rows set to true"
                )
