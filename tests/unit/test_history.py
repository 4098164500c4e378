import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from classifiers.training.history import Columns, Row, read_history
from connector.errors import BadHistory
from connector.model import Aspect

COLUMNS = Columns(text=("subject", "body"), labels={Aspect.CATEGORY: "group"}, time="created_at")
TICKET = {
    "subject": "VPN, again",
    "body": "It is\ndown.",
    "group": "network",
    "created_at": "2026-01-31T09:30:00Z",
}


def joined(subject: str, body: str) -> str:
    return f"{subject}|{body}"


def written(folder: Path, kind: str, ticket: dict[str, str]) -> Path:
    path = folder / f"history.{kind}"
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist([ticket]), path)
    elif kind == "jsonl":
        path.write_text(json.dumps(ticket) + "\n\n", "utf-8")
    else:
        cells = ",".join('"' + value.replace('"', '""') + '"' for value in ticket.values())
        path.write_text("\ufeff" + ",".join(ticket) + "\n" + cells + "\n", "utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, kind) -> None:
    assert read_history(written(tmp_path, kind, TICKET), COLUMNS, joined) == [
        Row(
            number=1,
            text="VPN, again|It is\ndown.",
            labels={Aspect.CATEGORY: "network"},
            filed_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        )
    ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("h.csv", "subject,body,group\na,b\n", "row 1 has not 3 fields"),
        ("h.csv", "subject,body,team,created_at\na,b,c,2026-01-01\n", "no column 'group'"),
        ("h.csv", "subject,body,group,created_at\na,b,c,soon\n", "write it as 2026-01-31"),
        ("h.jsonl", '{"subject": \n', "row 1 is no JSON"),
        ("h.jsonl", "[1]\n", "row 1 is no JSON object"),
        ("h.parquet", "text", "is no Parquet file"),
        ("h.xlsx", "", "name the file .csv, .jsonl or .parquet"),
        ("h.csv", "subject,body,group,created_at\na,b,,2026-01-01\n", "no row has both"),
    ],
)
def test_a_bad_history_is_refused_with_file_row_and_remedy(tmp_path, name, content, told) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(BadHistory) as caught:
        read_history(path, COLUMNS, joined)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_the_same_problem_of_many_rows_is_told_once(tmp_path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("subject,body,group,created_at\n" + "a,b,c,soon\n" * 30, "utf-8")
    with pytest.raises(BadHistory) as caught:
        read_history(path, COLUMNS, joined)
    assert str(caught.value).count("holds no time") == 1
    assert "20 and 10 more" in str(caught.value)


def test_text_that_is_not_utf8_is_refused(tmp_path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes("subject,body,group\nä,ö,ü\n".encode("latin-1"))
    with pytest.raises(BadHistory, match="save it as UTF-8"):
        read_history(path, COLUMNS, joined)
