"""History files into rows: CSV, JSON lines or Parquet, every row right or named."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from connector.errors import BadHistory
from connector.model import Aspect

LONGEST_FIELD = 10_000_000
"""Characters that a CSV field may have; the csv module's own limit is less than a long mail."""
SHOWN = 20
"""Problems named at once."""

Record = tuple[int, Mapping[str, Any]]
"""The row's number, as a person counts them, and its columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold what; the first of several `text` columns is the subject."""

    text: tuple[str, ...]
    labels: Mapping[Aspect, str]
    time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A ticket as first filed, cleaned, with its final labels; an empty label is no label."""

    number: int
    text: str
    labels: Mapping[Aspect, str]
    filed_at: datetime | None = None


def read_history(path: Path, columns: Columns, clean: Callable[[str, str], str]) -> list[Row]:
    """Read every row; raises `BadHistory` that names file, row and remedy of each bad one.

    A row without text or without any label is left out: it teaches nothing.
    """
    rows: list[Row] = []
    problems: dict[str, list[int]] = {}
    for number, record in records(path):
        try:
            row = _row(number, record, columns, clean)
        except ValueError as error:
            problems.setdefault(str(error), []).append(number)
            continue
        if row.text and row.labels:
            rows.append(row)
    if problems:
        raise BadHistory("\n".join(_told(path, *one) for one in list(problems.items())[:SHOWN]))
    if not rows:
        raise BadHistory(f"{path}: no row has both a text and a label")
    return rows


def _told(path: Path, problem: str, numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:SHOWN]))
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"{path}: row {named}{more}: {problem}"


def _row(
    number: int, record: Mapping[str, Any], columns: Columns, clean: Callable[[str, str], str]
) -> Row:
    parts = [_text(record, name) for name in columns.text]
    subject, body = (parts[0], "\n".join(parts[1:])) if len(parts) > 1 else ("", parts[0])
    labels = {aspect: _text(record, name).strip() for aspect, name in columns.labels.items()}
    return Row(
        number=number,
        text=clean(subject, body),
        labels={aspect: label for aspect, label in labels.items() if label},
        filed_at=time_of(record, columns.time) if columns.time else None,
    )


def _text(record: Mapping[str, Any], column: str) -> str:
    if column not in record:
        there = ", ".join(str(name) for name in list(record)[:SHOWN])
        raise ValueError(f"there is no column {column!r}; name one of {there}")
    value = record[column]
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the column {column!r} holds no text; write it as text")


def time_of(record: Mapping[str, Any], column: str) -> datetime:
    """Read a time, in UTC where it names no zone; raises `ValueError` with the remedy."""
    value = record.get(column)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(
            f"the column {column!r} holds no time ({value!r}); write it as 2026-01-31T09:30:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def records(path: Path) -> Iterator[Record]:
    """Yield every row with its number; raises `BadHistory`."""
    readers: dict[str, Callable[[Path], Iterable[Record]]] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        ".parquet": _parquet,
    }
    if path.suffix not in readers:
        raise BadHistory(f"{path}: name the file .csv, .jsonl or .parquet for what it is")
    try:
        yield from readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise BadHistory(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise BadHistory(f"{path} cannot be read: {error.strerror or error}") from error


def _csv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened, restkey="")
        try:
            for number, record in enumerate(reader, 1):
                _whole(path, number, record, reader.fieldnames or ())
                yield number, record
        except csv.Error as error:
            raise BadHistory(f"{path}: line {reader.line_num}: {error}; quote the field") from error


def _whole(path: Path, number: int, record: Mapping[str, Any], names: Sequence[str]) -> None:
    if "" in record or any(record[name] is None for name in names):
        raise BadHistory(
            f"{path}: row {number} has not {len(names)} fields like the heading;"
            " put quotes around text that holds commas or line breaks"
        )


def _jsonl(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8") as opened:
        for number, line in enumerate(opened, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadHistory(
                    f"{path}: row {number} is no JSON: {error}; write one object a line"
                ) from error
            if not isinstance(record, dict):
                raise BadHistory(f"{path}: row {number} is no JSON object; write one a line")
            yield number, record


def _parquet(path: Path) -> Iterator[Record]:
    # Here and not above: it is large, and only this kind of file needs it.
    from pyarrow import ArrowInvalid  # noqa: PLC0415 - see above
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - see above

    try:
        opened = ParquetFile(path)
    except ArrowInvalid as error:
        raise BadHistory(f"{path} is no Parquet file: {error}; export it again") from error
    number = 0
    for batch in opened.iter_batches():
        for record in batch.to_pylist():
            number += 1
            yield number, record
