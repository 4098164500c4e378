from collections.abc import Sequence

from by_hand import ACME, TWO_GROUPS, HandDaemon, changed, rule

from connector.model import (
    TAGS,
    Action,
    Aspect,
    FieldUpdate,
    Status,
    Ticket,
)
from connector.store import Outcome


def test_a_ticket_comes_in_and_its_fields_come_back(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "urgent: no network", tags=["vip"])
    daemon.round()
    after = adapter.read(ticket)
    assert after.fields["category"] == "network"
    assert after.fields["priority"] is None
    assert after.tags == {"vip", "triaged_priority_high"}
    [entry] = store.ledger.of(ACME, ticket)
    assert entry.outcome is Outcome.WRITTEN
    assert [verdict.action for verdict in entry.verdicts] == [Action.WRITE, Action.SUGGEST]


def test_our_own_write_is_not_classified_again(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("network down", "no network")
    for _ in range(4):
        daemon.round()
    assert len(classifier.asked) == 1
    assert adapter.writes(ticket) == 1


def test_an_agents_change_is_not_classified_again(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"products": ("laptop",)})
    daemon.round()
    assert len(classifier.asked) == 1


def test_a_new_message_of_the_requester_is_classified(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("something", "is wrong")
    daemon.round()
    assert adapter.read(ticket).fields["category"] is None
    adapter.reply(ticket, "it is the hardware")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "hardware"
    assert len(classifier.asked) == 2


def test_a_persons_value_survives_a_reclassification(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"category": "software"})
    adapter.reply(ticket, "hardware, I think")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "software"


def test_a_persons_change_between_read_and_write_survives(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        adapter.write = write
        adapter.change(ticket, fields={"category": "software"})
        return write(seen, updates)

    adapter.write = overtaken
    daemon.round()
    after = adapter.read(ticket)
    assert after.fields["category"] == "software"
    assert "triaged_priority_normal" in after.tags


def test_a_tag_that_comes_between_read_and_write_is_kept(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network", tags=["old"])
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        adapter.write = write
        adapter.change(ticket, tags=["old", "new"])
        return write(seen, updates)

    adapter.write = overtaken
    daemon.round()
    assert adapter.read(ticket).tags == {"old", "new", "triaged_priority_normal"}


def test_a_ticket_with_a_group_is_suggested_to_somebody_of_that_group(
    store, desk, adapter, clock
) -> None:
    suggests = changed(desk, staff=TWO_GROUPS, rules=(rule(Aspect.ASSIGNEE, "suggested"),))
    daemon = HandDaemon(store, suggests, clock)
    daemon.poller.look(ACME)
    for _ in range(12):
        solved = adapter.arrive("network", "network")
        adapter.change(solved, status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    ticket = adapter.arrive("network", "is down")
    adapter.change(ticket, fields={"group": "g2"})
    daemon.round()
    assert adapter.read(ticket).fields["suggested"] is None


def test_a_resolved_ticket_is_learnt_from_and_not_written(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    adapter.change(ticket, status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    daemon.round()
    assert adapter.writes(ticket) == 0
    [case] = store.cases.resolved(ACME)
    assert (case.ticket, case.group, case.assignee) == (ticket, "g1", "a1")
    assert case.vector


def test_a_deleted_ticket_is_forgotten(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    adapter.change(ticket, status=Status.RESOLVED, fields={"group": "g1"})
    daemon.round()
    adapter.delete(ticket)
    daemon.round()
    assert store.cases.resolved(ACME) == ()


def test_a_suggested_assignee_comes_from_similar_resolved_tickets(
    store, desk, adapter, clock
) -> None:
    suggests = changed(desk, staff=TWO_GROUPS, rules=(rule(Aspect.ASSIGNEE, "suggested"),))
    daemon = HandDaemon(store, suggests, clock)
    daemon.poller.look(ACME)
    for number in range(12):
        word, group, agent = [("network", "g1", "a1"), ("hardware", "g2", "a2")][number % 2]
        solved = adapter.arrive(word, word)
        adapter.change(solved, status=Status.RESOLVED, fields={"group": group, "assignee": agent})
    ticket = adapter.arrive("network", "is down")
    daemon.round()
    assert adapter.read(ticket).fields["suggested"] == "Ana Ruiz (Network)"


def test_no_ticket_text_is_in_the_database(daemon, adapter, tmp_path) -> None:
    ticket = adapter.arrive("network canary-subject", "canary-description")
    daemon.round()
    assert adapter.writes(ticket) == 1
    files = list((tmp_path / "state").iterdir())
    assert len(files) >= 2
    assert not any(b"canary" in file.read_bytes() for file in files)


def test_suggested_tags_of_others_stay(daemon, adapter) -> None:
    ticket = adapter.arrive("network", "urgent", tags=["a", "b"])
    daemon.round()
    assert {"a", "b"} < adapter.read(ticket).tags
    assert TAGS in adapter.read(ticket).fields
