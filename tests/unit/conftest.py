from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from by_hand import ACME, HandDaemon, rule
from postgresql import PASSWORD, PostgresServer, a_server, programs

from adapters.memory import MemoryAdapter
from connector.desk import Desk
from connector.model import (
    Aspect,
    Identity,
    Mode,
    Prediction,
    Reading,
    Secret,
    Staff,
    Status,
    Ticket,
    TicketId,
)
from connector.store import Place, Store


@dataclass
class FakeClock:
    """Time that passes only when told; a sleep is noted and passes at once."""

    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class WordClassifier:
    """A classifier that looks for words, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.asked.extend(texts)
        return [self._read(text.casefold()) for text in texts]

    def _read(self, text: str) -> Reading:
        label = next((word for word in ("network", "hardware") if word in text), None)
        return Reading(
            predictions=(
                Prediction(
                    aspect=Aspect.CATEGORY,
                    label=label,
                    confidence=0.9 if label else 0.2,
                    reason=f"it says {label}" if label else "no known word",
                ),
                Prediction(
                    aspect=Aspect.PRIORITY,
                    label="high" if "urgent" in text else "normal",
                    confidence=0.7,
                ),
            ),
            vector=bytes(2) + bytes([0, 0x3C]) if label == "network" else bytes([0, 0x3C, 0, 0]),
            language="en",
        )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a real server; what it holds need not outlive it."""
    if programs() is None:
        pytest.skip("no PostgreSQL server's programs are installed (Debian: postgresql)")
    with a_server("fsync=off", "synchronous_commit=off") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path: Path, monkeypatch) -> Place:
    """Give where a store can be opened, on each of the databases."""
    if request.param == "sqlite":
        return Place(tmp_path / "state")
    # Time passes only when told: not by the server either.
    monkeypatch.setattr("connector.store.node.ServerClock.set", lambda *_: None)
    server = request.getfixturevalue("postgres")
    return Place(tmp_path / "state", server.fresh(), Secret(PASSWORD))


@pytest.fixture
def store(place: Place, clock: FakeClock) -> Iterator[Store]:
    with Store(place, clock) as opened:
        yield opened


@pytest.fixture
def classifier() -> WordClassifier:
    return WordClassifier()


def a_ticket(**changes: object) -> Ticket:
    """Give a ticket with the given differences."""
    plain = {
        "id": TicketId("7"),
        "subject": "network down",
        "description": "no network since eight",
        "status": Status.OPEN,
        "revision": "1",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 2, tzinfo=UTC),
        "fields": {"c1": None, "priority": None},
    }
    return Ticket(**{**plain, **changes})


@pytest.fixture(name="a_ticket")
def a_ticket_fixture() -> object:
    return a_ticket


@pytest.fixture
def adapter(clock: FakeClock) -> MemoryAdapter:
    return MemoryAdapter(clock)


@pytest.fixture
def desk(adapter: MemoryAdapter, classifier: WordClassifier) -> Desk:
    return Desk(
        tenant=ACME,
        adapter=adapter,
        classifier=classifier,
        bundle="words@1",
        identity=Identity(account="memory", name="Triage"),
        rules=(
            rule(Aspect.CATEGORY, "category"),
            rule(Aspect.PRIORITY, "priority", Mode.SUGGEST),
        ),
        staff=Staff(),
    )


@pytest.fixture
def daemon(store: Store, desk: Desk, clock: FakeClock) -> HandDaemon:
    daemon = HandDaemon(store, desk, clock)
    daemon.poller.look(ACME)
    return daemon
