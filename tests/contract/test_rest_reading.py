"""What a desk answers and what is believed of it: history, identity, pointers, odd answers."""

from datetime import timedelta

import pytest
from people import SUBJECT, TEXT, HandClock, read, walk
from rest_people import RestPeople

from connector.errors import ConfigError, Rejected, Retry, Unauthorized
from connector.model import Secret, Status, TicketId

LIST = "GET /v2/tickets"


def arrive(desk: RestPeople, number: int) -> list[TicketId]:
    return [desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(number)]


class TestHistory:
    def test_what_was_resolved_before_is_left_out(
        self, plain_rest: RestPeople, clock: HandClock
    ) -> None:
        old = plain_rest.arrive(SUBJECT, TEXT)
        plain_rest.change(old, solve=True)
        since = clock.now() + timedelta(seconds=1)
        clock.advance(60)
        new = plain_rest.arrive(SUBJECT, TEXT)
        plain_rest.change(new, solve=True)
        pages = list(plain_rest.adapter.history(since))
        assert [each.id for page in pages for each in page.items] == [new]


class TestCheck:
    @pytest.mark.parametrize("key", ["wrong", ""])
    def test_a_wrong_key_that_is_answered_with_an_empty_desk_is_noticed(
        self, rest: RestPeople, key: str
    ) -> None:
        """Status 200 and no ticket: only the identity tells."""
        rest.arrive(SUBJECT, TEXT)
        stranger = rest.connect(key=Secret(key))
        assert list(stranger.changed_since(None))[-1].items == ()
        with pytest.raises(Unauthorized, match=r"for nobody: nothing is at '/user/email'"):
            stranger.check()

    def test_another_account_is_refused(self, rest: RestPeople) -> None:
        with pytest.raises(Unauthorized, match=r"for somebody else, not for 'ann@acme\.example'"):
            rest.connect(account="ann@acme.example").check()

    def test_a_refused_key_is_unauthorized(self, plain_rest: RestPeople) -> None:
        with pytest.raises(Unauthorized, match="GET /plain/whoami: 401"):
            plain_rest.connect(key=Secret("wrong")).check()

    def test_every_pointer_that_leads_nowhere_is_named(self, rest: RestPeople) -> None:
        ticket = rest.arrive(SUBJECT, TEXT)
        adapter = rest.connect(ticket__subject="/title", ticket__updated="/changed")
        with pytest.raises(ConfigError) as wrong:
            adapter.check()
        assert [each.partition(" leads")[0] for each in wrong.value.problems] == [
            "desk.ticket.updated: '/changed'",
            "desk.ticket.subject: '/title'",
            "desk.ticket.updated: '/changed'",
        ]
        assert f"leads nowhere in a ticket (ticket {ticket})" in str(wrong.value)

    def test_a_ticket_that_is_listed_and_not_found_alone_names_its_path(
        self, rest: RestPeople
    ) -> None:
        rest.arrive(SUBJECT, TEXT)
        with pytest.raises(ConfigError, match=r"desk\.ticket\.path"):
            rest.connect(ticket__path="/tickets/0{id}9").check()

    def test_an_empty_desk_is_a_warning(self, rest: RestPeople) -> None:
        (warning,) = rest.adapter.check().warnings
        assert "/tickets shows no ticket" in warning
        rest.arrive(SUBJECT, TEXT)
        assert rest.adapter.check().warnings == ()


class TestAnswers:
    def test_a_login_page_is_no_answer(self, rest: RestPeople) -> None:
        rest.break_next(LIST, status=200, body="<html>Log in</html>")
        with pytest.raises(Retry, match="GET /v2/tickets: the answer is no JSON"):
            walk(rest.adapter.changed_since(None))

    @pytest.mark.parametrize("body", [{"Error": {"ErrorCode": "AuthFail"}}, [], {"tickets": {}}])
    def test_an_error_with_status_200_is_not_an_empty_list(
        self, rest: RestPeople, body: object
    ) -> None:
        rest.break_next(LIST, status=200, body=body)
        with pytest.raises(Rejected, match="no list at '/tickets'"):
            walk(rest.adapter.changed_since(None))

    @pytest.mark.parametrize("body", [{"ticket": None}, {"ticket": {"id": 7}}])
    def test_nothing_or_another_ticket_means_gone(self, rest: RestPeople, body: object) -> None:
        """Some answer 200 and null; a merged ticket may answer with the one that remains."""
        ticket = rest.arrive(SUBJECT, TEXT)
        rest.break_next(f"GET /v2/tickets/{ticket}", status=200, body=body)
        assert list(rest.adapter.fetch([ticket])) == []

    def test_an_answer_that_is_no_ticket_is_refused(self, rest: RestPeople) -> None:
        ticket = rest.arrive(SUBJECT, TEXT)
        rest.break_next(f"GET /v2/tickets/{ticket}", status=200, body={"ticket": "see other"})
        with pytest.raises(Rejected, match=r"desk\.ticket\.item"):
            rest.adapter.fetch([ticket])

    def test_an_id_cannot_lead_out_of_the_path(self, rest: RestPeople) -> None:
        before = rest.calls("")
        odd = ["..", "../me", "7/../8", ".", "", "7?x=1", "a" * 101, "7 8"]
        assert list(rest.adapter.fetch([TicketId(each) for each in odd])) == []
        assert rest.calls("") == before

    def test_a_time_that_is_none_names_its_option(self, rest: RestPeople) -> None:
        rest.arrive(SUBJECT, TEXT)
        with pytest.raises(Rejected, match=r"desk\.ticket\.updated: at '/subject'"):
            walk(rest.connect(ticket__updated="/subject").changed_since(None))

    def test_deleted_is_what_the_options_call_so(self, rest: RestPeople) -> None:
        ticket = rest.arrive(SUBJECT, TEXT)
        rest.change(ticket, solve=True)
        assert read(rest, ticket).status is Status.RESOLVED
        rest.adapter = rest.connect(ticket__deleted=["solved"], ticket__resolved=["closed"])
        assert list(rest.adapter.fetch([ticket])) == []

    def test_a_message_is_hidden_unless_the_desk_says_that_it_is_not(
        self, rest: RestPeople
    ) -> None:
        ticket = rest.arrive(SUBJECT, TEXT)
        rest.reply(ticket, "hello?")
        assert read(rest, ticket).last_message == "hello?"
        rest.adapter = rest.connect(messages__public="/visible")
        assert read(rest, ticket).last_message == ""
