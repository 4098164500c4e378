"""A damaged database is put aside for the last good copy, or nothing is touched and it is said."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from by_hand import ACME
from structlog.testing import capture_logs

from connector.errors import StateDamaged, StateUnusable
from connector.model import Cursor, TicketId, TicketRef
from connector.store import Place, Store, rescue
from connector.store.rescue import COPY, FILE, MARK


def take(store: Store, *tickets: str) -> None:
    refs = [TicketRef(id=TicketId(ticket), version="1") for ticket in tickets]
    store.inbox.receive_page(ACME, refs, Cursor(f"after {tickets[-1]}"))


@pytest.fixture
def state(tmp_path: Path, clock) -> Path:
    """Give a state directory with a copy of 300 tickets, and one ticket more than that."""
    with Store(Place(tmp_path), clock) as store:
        take(store, *(str(number) for number in range(300)))
        store.back_up()
        take(store, "later")
    return tmp_path


def received(directory: Path, clock) -> int:
    with Store(Place(directory), clock) as store:
        [acme] = store.audit()
        assert acme.missing == 0
        return acme.received


def spoil(file: Path, seed: int = 1, bytes_: int = 4096) -> None:
    """Write noise over a piece of a file, as a dying disk does."""
    draw = random.Random(seed)
    with file.open("r+b") as opened:
        opened.seek(draw.randrange(max(1, file.stat().st_size - bytes_)))
        opened.write(draw.randbytes(bytes_))


def aside(directory: Path) -> list[Path]:
    return list(directory.glob("damaged-*"))


def test_the_last_good_copy_takes_the_place_of_a_damaged_database(state, clock) -> None:
    spoil(state / FILE, bytes_=60_000)
    with capture_logs() as told:
        assert received(state, clock) == 300
    [event] = [line for line in told if line["event"] == "store_restored"]
    [place] = aside(state)
    assert event["aside"] == str(place)
    assert (place / FILE).stat().st_size > 0
    assert (state / FILE).stat().st_mode & 0o077 == 0
    with Store(Place(state), clock) as store:
        assert store.inbox.cursor(ACME) == "after 299"  # all later changes are read again


def test_a_file_that_is_no_database_at_all_is_replaced(state, clock) -> None:
    (state / FILE).write_bytes(b"no database " * 1000)
    assert received(state, clock) == 300


def test_a_good_database_is_left_alone(state, clock) -> None:
    assert received(state, clock) == 301
    assert aside(state) == []


@pytest.mark.parametrize("copy", [None, b"no copy either " * 500])
def test_without_a_good_copy_nothing_is_touched(state, clock, copy) -> None:
    (state / COPY).unlink() if copy is None else (state / COPY).write_bytes(copy)
    spoil(state / FILE, bytes_=60_000)
    before = (state / FILE).read_bytes()
    with pytest.raises(StateDamaged, match="copy at"):
        Store(Place(state), clock)
    assert (state / FILE).read_bytes() == before
    assert aside(state) == []


@pytest.mark.parametrize("name", ["in-hand.json", FILE])
def test_a_rescue_that_was_cut_short_is_done_by_the_next_start(
    state, clock, monkeypatch, name
) -> None:
    spoil(state / FILE, bytes_=60_000)
    rename = Path.rename

    def cut(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        if self.name == name:
            raise KeyboardInterrupt
        return moved

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        with pytest.raises(KeyboardInterrupt):
            Store(Place(state), clock)
    assert received(state, clock) == 300


def test_damage_of_any_kind_ends_in_a_store_that_works(state, clock) -> None:
    whole = (state / FILE).read_bytes()
    restored = 0
    for seed in range(60):
        (state / FILE).write_bytes(whole)
        spoil(state / FILE, seed, bytes_=random.Random(seed).choice((1, 16, 512, 20_000)))
        (state / MARK).touch()
        restored += received(state, clock) == 300
    assert 0 < restored < 60  # SQLite sees damaged structure, and takes changed values for good


def test_damage_that_sqlite_quotes_in_bytes_that_are_no_text_is_damage(state, clock) -> None:
    """The name of an index is damaged: SQLite complains by that name."""
    whole = (state / FILE).read_bytes()
    assert b"CREATE INDEX ledger_age" in whole
    spoilt = whole.replace(b"CREATE INDEX ledger_age", b"CREATE NOISE ledger_age")
    (state / FILE).write_bytes(spoilt.replace(b"ledger_age", b"\xfe\x8fdger_age"))
    (state / MARK).touch()
    with capture_logs() as told:
        assert received(state, clock) == 300
    assert any(line["event"] == "store_restored" for line in told)


def test_damage_that_is_met_while_running_is_mended_at_the_next_start(state, clock) -> None:
    with Store(Place(state), clock) as store:
        assert not store.is_damaged
        (state / FILE).write_bytes(b"\xff" * (state / FILE).stat().st_size)
        with pytest.raises(StateUnusable):
            store.audit()
        assert store.is_damaged
    assert received(state, clock) == 300
    assert not (state / MARK).exists()


def test_a_damaged_database_does_not_replace_its_copy(state, clock) -> None:
    before = (state / COPY).read_bytes()
    with Store(Place(state), clock) as store:
        (state / FILE).write_bytes(b"\xff" * (state / FILE).stat().st_size)
        with pytest.raises(StateDamaged):
            store.back_up()
        assert store.is_damaged
    assert (state / COPY).read_bytes() == before


def test_a_copy_is_whole_private_and_made_beside_a_writer(tmp_path, clock) -> None:
    with Store(Place(tmp_path), clock) as store:
        take(store, "1")
        with store._database.write():
            store.back_up()
        take(store, "2")
    copy = tmp_path / COPY
    assert copy.stat().st_mode & 0o077 == 0
    assert copy.parent.stat().st_mode & 0o077 == 0
    assert [file.name for file in copy.parent.iterdir()] == [FILE]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT ticket FROM inbox").fetchall() == [("1",)]


def test_a_copy_that_cannot_be_made_leaves_the_earlier_one(state, clock, monkeypatch) -> None:
    before = (state / COPY).read_bytes()
    with Store(Place(state), clock) as store:
        monkeypatch.setattr(rescue, "examine", lambda *_, **__: "row 7 missing")
        with pytest.raises(StateDamaged, match="row 7 missing"):
            store.back_up()
    assert (state / COPY).read_bytes() == before


@pytest.mark.parametrize(("clean", "looks"), [(True, 0), (False, 1)])
def test_a_large_file_is_looked_through_only_after_a_kill(
    state, clock, monkeypatch, clean, looks
) -> None:
    monkeypatch.setattr(rescue, "ALWAYS", 0)
    seen: list[Path] = []
    monkeypatch.setattr(rescue, "examine", lambda file, **_: seen.append(file) or "")
    if not clean:
        (state / "triaged.lock").write_text("4711\n")
    with Store(Place(state), clock):
        assert len(seen) == looks
