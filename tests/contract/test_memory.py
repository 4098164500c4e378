"""The in-memory desk keeps the contract."""

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest
from notes_suite import AgentsNotes
from people import Desk, HandClock, Mapped
from suite import AdapterContract
from tags_suite import KeepsTags

from adapters import memory
from adapters.memory import MemoryAdapter
from connector.errors import Retry
from connector.model import (
    Agent,
    Aspect,
    FieldUpdate,
    FieldValue,
    Group,
    Secret,
    Staff,
    Status,
    TicketId,
)
from connector.ports import Surroundings


class MemoryPeople(Desk):
    mapped = Mapped(
        category="category",
        categories=("network", "hardware"),
        choices="products",
        products=("printer", "laptop"),
        text="suggested",
    )

    def __init__(self) -> None:
        self.clock = HandClock()
        self.secret = Secret("a key of this desk")
        self.adapter: MemoryAdapter = MemoryAdapter(self.clock, self.secret, page_size=3)

    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        return self.adapter.arrive(subject, text, fields=fields or {})

    def reply(self, ticket: TicketId, text: str) -> None:
        self.adapter.reply(ticket, text)

    def answer(self, ticket: TicketId, text: str) -> None:  # noqa: ARG002 it keeps no words
        self.adapter.answer(ticket)

    def note(self, ticket: TicketId, text: str) -> None:  # noqa: ARG002 nothing to see of it
        self.adapter.change(ticket)

    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        status = Status.RESOLVED if solve else None
        self.adapter.change(ticket, fields=fields or {}, tags=tags, status=status)

    def delete(self, ticket: TicketId) -> None:
        self.adapter.delete(ticket)

    def serving(self) -> tuple[Group, Agent]:
        group, agent = Group(id="7", name="Network"), Agent(id="12", name="Ann", groups=("7",))
        self.adapter.employ(Staff(groups=(group,), agents=(agent,)))
        return group, agent

    def public_messages(self, ticket: TicketId) -> int:
        return 1 + bool(self.adapter.read(ticket).last_message)

    def notes(self, ticket: TicketId) -> Sequence[str]:
        return self.adapter.notes(ticket)

    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        return self.adapter.sign(body, key)

    def hook_body(self, ticket: TicketId) -> bytes:
        return json.dumps({"ticket": ticket}).encode()

    def later(self) -> None:
        self.clock.advance(1)

    def settle(self) -> None:
        """What happened here is told at once."""

    def pages_of(self, size: int) -> None:
        assert size == 3


@pytest.fixture
def desk() -> Iterator[Desk]:
    people = MemoryPeople()
    with people.adapter:
        yield people


class TestMemory(AdapterContract, KeepsTags, AgentsNotes):
    def test_a_failure_is_raised_once_by_the_next_call(self, desk: MemoryPeople) -> None:
        desk.adapter.fail_next(Retry(after=7.0))
        with pytest.raises(Retry) as failure:
            desk.adapter.fetch([])
        assert failure.value.after == 7.0
        assert desk.adapter.fetch([]) == []

    def test_the_platform_connects_a_new_empty_desk(self) -> None:
        options = memory.platform.options(platform="memory", webhook_secret="secret:hook")
        world = Surroundings(secret=lambda name: Secret(f"value of {name}"), clock=HandClock())
        desk = memory.platform.connect(options, world)
        assert isinstance(desk, MemoryAdapter)
        body, headers = desk.call_webhook(desk.arrive("a", "b"), Secret("value of hook"))
        assert desk.parse_webhook(body, headers).tickets == ("1",)

    def test_writes_are_counted_for_whoever_tests_the_core(self, desk: MemoryPeople) -> None:
        ticket_id = desk.arrive("a", "b")
        assert desk.adapter.writes(ticket_id) == 0
        update = FieldUpdate(aspect=Aspect.CATEGORY, field="category", value="network")
        desk.adapter.write(desk.adapter.read(ticket_id), [update])
        desk.adapter.write(desk.adapter.read(ticket_id), [update])
        assert desk.adapter.writes(ticket_id) == 1
