from collections.abc import Sequence

import pytest
from by_hand import ACME

from connector.errors import Conflict, Gone
from connector.model import FieldUpdate, Ticket
from connector.store import Outcome


@pytest.mark.parametrize("answer", [Conflict("changed"), Gone("deleted")], ids=["409", "404"])
def test_a_ticket_that_is_deleted_before_the_write_is_done_and_forgotten(
    daemon, adapter, store, answer
) -> None:
    ticket = adapter.arrive("network down", "no network")
    adapter.change(ticket, fields={"assignee": "a1"})
    known: list[dict[str, int]] = []

    def overtaken(_seen: Ticket, _updates: Sequence[FieldUpdate]) -> Ticket:
        known.append(dict(store.cases.open_load(ACME)))
        adapter.delete(ticket)
        raise answer

    adapter.write = overtaken
    daemon.poller.look(ACME)
    assert daemon.worker.turn()
    assert (known, store.cases.open_load(ACME)) == ([{"a1": 1}], {})
    [overview] = store.overview()
    assert (overview.states, overview.trouble) == ({"done": 1}, ())
    [entry] = store.ledger.of(ACME, ticket)
    assert (entry.outcome, entry.written) == (Outcome.NOTHING, frozenset())


def test_a_deleted_ticket_does_not_hold_up_the_rest_of_its_batch(daemon, adapter, store) -> None:
    gone = adapter.arrive("network down", "no network")
    stays = adapter.arrive("hardware", "broken hardware")
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        if seen.id == gone:
            adapter.delete(gone)
            raise Conflict("changed")
        return write(seen, updates)

    adapter.write = overtaken
    daemon.poller.look(ACME)
    assert daemon.worker.turn()
    assert adapter.read(stays).fields["category"] == "hardware"
    [overview] = store.overview()
    assert overview.states == {"done": 2}
