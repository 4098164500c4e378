"""What Zendesk refuses and warns of: limits, errors, rights, triggers that mail."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from people import SUBJECT, TEXT, HandClock, category, read, walk
from zendesk_people import SandboxPeople

from connector.errors import Conflict, Gone, Rejected, Retry, TriagedError, Unauthorized
from connector.model import Secret, TicketId


class TestTrapsOfTheLimits:
    @pytest.mark.parametrize(
        ("told", "after"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"Retry-After": "DATE"}, 90.0),
            ({}, None),
            ({"Retry-After": "soon"}, None),
            ({"Retry-After": "-3"}, 0.0),
        ],
        ids=["seconds", "date", "missing", "garbage", "negative"],
    )
    def test_a_429_with_a_text_body_is_a_retry_in_every_spelling(
        self,
        sandboxed: SandboxPeople,
        clock: HandClock,
        told: dict[str, str],
        after: float | None,
    ) -> None:
        calls: list[Callable[[], object]] = [
            lambda: sandboxed.adapter.fetch([TicketId("1")]),
            lambda: walk(sandboxed.adapter.changed_since(None)),
        ]
        for call in calls:
            date = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
            headers = {name: value.replace("DATE", date) for name, value in told.items()}
            sandboxed.break_next(
                "GET /api/v2/", status=429, headers=headers, body="Too many requests"
            )
            with pytest.raises(Retry) as refused:
                call()
            assert refused.value.after == after
            clock.advance(100)
        assert clock.slept == []

    def test_a_used_up_limit_is_not_run_into(
        self, sandboxed: SandboxPeople, clock: HandClock
    ) -> None:
        sandboxed.sandbox.desk.mishaps.rate_limit = 1
        clock.advance(60 - clock.now().second % 60)
        sandboxed.adapter.fetch([TicketId("1")])
        before = sandboxed.calls()
        with pytest.raises(Retry, match="not sent") as refused:
            sandboxed.adapter.fetch([TicketId("1")])
        assert 0 < (refused.value.after or 0) <= 60
        assert sandboxed.calls() == before
        clock.advance(refused.value.after or 0)
        sandboxed.adapter.fetch([TicketId("1")])

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"status": 500}, Retry),
            ({"status": 503, "body": {"error": "busy"}}, Retry),
            ({"status": 408}, Retry),
            ({"drop": True}, Retry),
            ({"status": 400, "body": {"error": "x"}}, Rejected),
            ({"status": 403, "body": {"error": {"title": "Forbidden", "message": "m"}}}, Rejected),
            ({"status": 422, "body": {"error": "RecordInvalid", "details": {}}}, Rejected),
            ({"status": 404}, Gone),
            ({"status": 409, "body": {"error": "UpdateConflict"}}, Conflict),
            ({"status": 401, "body": {"error": "Couldn't authenticate you"}}, Unauthorized),
            ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Rejected),
        ],
    )
    def test_every_answer_says_what_happens_next(
        self, sandboxed: SandboxPeople, fault: dict[str, Any], error: type[TriagedError]
    ) -> None:
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        sandboxed.break_next(f"GET /api/v2/tickets/{ticket.id}.json", **fault)
        with pytest.raises(error):
            sandboxed.adapter.write(ticket, [category(sandboxed, "network")])

    def test_a_wrong_token_is_unauthorized(self, sandboxed: SandboxPeople) -> None:
        with sandboxed.connect(token=Secret("not the token")) as adapter:
            with pytest.raises(Unauthorized, match="authenticate you"):
                adapter.check()
            with pytest.raises(Unauthorized):
                walk(adapter.changed_since(None))

    def test_an_anonymous_visitor_is_unauthorized(self, sandboxed: SandboxPeople) -> None:
        body = {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}}
        sandboxed.break_next("GET /api/v2/users/me", status=200, body=body)
        with pytest.raises(Unauthorized, match="anonymous"):
            sandboxed.adapter.check()


class TestWarnings:
    def test_an_agent_who_is_no_admin_cannot_poll_and_is_told_so(
        self, sandboxed: SandboxPeople
    ) -> None:
        sandboxed.sandbox.state.users[0]["role"] = "agent"
        (warning,) = sandboxed.adapter.check().warnings
        assert "only an admin" in warning

    def test_triggers_that_mail_on_any_change_are_named(self, sandboxed: SandboxPeople) -> None:
        action = {"field": "notification_user", "value": ["requester_id", "subject", "body"]}
        quiet = {"all": [{"field": "update_type", "operator": "is", "value": "Create"}], "any": []}
        loud = {"all": [{"field": "priority", "operator": "changed", "value": None}], "any": []}
        sandboxed.sandbox.state.triggers = [
            {"title": "Welcome", "actions": [action], "conditions": quiet},
            {"title": "Priority mail", "actions": [action], "conditions": loud},
        ]
        (warning,) = sandboxed.adapter.check().warnings
        assert "'Priority mail'" in warning

    def test_triggers_that_may_not_be_read_are_a_warning(self, sandboxed: SandboxPeople) -> None:
        sandboxed.break_next("GET /api/v2/triggers", status=403)
        (warning,) = sandboxed.adapter.check().warnings
        assert "triggers cannot be read" in warning
