"""What ServiceNow refuses: limits, errors, and credentials of each kind."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from people import SUBJECT, TEXT, HandClock, category, present, read, walk
from servicenow_people import ROWS, TABLE, SandboxPeople

from adapters.servicenow.sandbox.door import CLIENT_ID, LIFE
from connector.errors import Conflict, Gone, Rejected, Retry, TriagedError, Unauthorized
from connector.model import Secret

LIMITED = {
    "error": {"message": "Rate limit exceeded", "detail": "Rate limit of 100 requests per hour"},
    "status": "failure",
}
TOKEN = "POST /oauth_token.do"


class TestTrapsOfTheLimits:
    @pytest.mark.parametrize(
        ("told", "after"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"Retry-After": "DATE"}, 90.0),
            ({"X-RateLimit-Limit": "100", "X-RateLimit-Reset": "UNIX"}, 90.0),
            ({}, None),
            ({"Retry-After": "soon"}, None),
        ],
        ids=["seconds", "date", "reset", "missing", "garbage"],
    )
    @pytest.mark.parametrize("body", [LIMITED, "Too many requests"], ids=["json", "text"])
    def test_a_429_is_a_retry_in_every_spelling(
        self,
        instance: SandboxPeople,
        clock: HandClock,
        told: dict[str, str],
        after: float | None,
        body: object,
    ) -> None:
        instance.adapter.describe_fields()
        calls: list[Callable[[], object]] = [
            lambda: instance.adapter.fetch([instance.absent]),
            lambda: walk(instance.adapter.changed_since(None)),
        ]
        for call in calls:
            moment = clock.now() + timedelta(seconds=90)
            spelt = {"DATE": format_datetime(moment, usegmt=True), "UNIX": str(moment.timestamp())}
            headers = {name: spelt.get(value, value) for name, value in told.items()}
            instance.break_next(ROWS, status=429, headers=headers, body=body)
            with pytest.raises(Retry) as refused:
                call()
            assert refused.value.after == after
            clock.advance(100)
        assert clock.slept == []

    def test_a_limit_of_which_the_rest_is_untold_is_not_run_into(
        self, instance: SandboxPeople, clock: HandClock
    ) -> None:
        instance.adapter.describe_fields()
        clock.advance(3600 - clock.now().timestamp() % 3600)
        instance.sandbox.desk.mishaps.rate_limit = 20
        before = instance.calls()
        reading = (instance.adapter.fetch([instance.absent]) for _ in range(50))
        with pytest.raises(Retry, match="not sent") as refused:
            list(reading)
        assert 15 <= instance.calls() - before <= 20
        assert 3500 < (refused.value.after or 0) <= 3600
        clock.advance(refused.value.after or 0)
        instance.adapter.fetch([instance.absent])

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"status": 500}, Retry),
            ({"status": 503, "body": "<html>starting</html>"}, Retry),
            ({"status": 408}, Retry),
            ({"status": 200, "body": "<html>asleep</html>"}, Retry),
            ({"drop": True}, Retry),
            ({"status": 400, "body": {"error": {"message": "Invalid"}}}, Rejected),
            ({"status": 403, "body": {"error": {"message": "Operation Failed"}}}, Rejected),
            ({"status": 404, "body": {"error": {"message": "No Record found"}}}, Gone),
            ({"status": 409}, Conflict),
            (
                {"status": 401, "body": {"error": {"message": "User Not Authenticated"}}},
                Unauthorized,
            ),
            ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Rejected),
        ],
    )
    def test_every_answer_says_what_happens_next(
        self, instance: SandboxPeople, fault: dict[str, Any], error: type[TriagedError]
    ) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        instance.break_next(f"GET {TABLE}/incident/{ticket.id}", **fault)
        with pytest.raises(error):
            instance.adapter.write(ticket, [category(instance, "network")])

    def test_a_refused_list_is_no_missing_ticket(self, instance: SandboxPeople) -> None:
        instance.break_next(f"GET {TABLE}/sys_user", status=404)
        with pytest.raises(Rejected, match="sys_user: 404"):
            instance.adapter.check()

    def test_a_journal_that_may_not_be_read_is_told_when_connecting(
        self, instance: SandboxPeople
    ) -> None:
        instance.break_next(f"GET {TABLE}/sys_journal_field", status=403)
        with pytest.raises(Rejected, match="sys_journal_field: 403"):
            instance.adapter.check()


class TestCredentials:
    def test_a_wrong_password_is_unauthorized(self, instance: SandboxPeople) -> None:
        with instance.connect({"password": Secret("not it")}) as adapter:
            with pytest.raises(Unauthorized, match="User Not Authenticated"):
                adapter.check()
            with pytest.raises(Unauthorized):
                walk(adapter.changed_since(None))

    def test_a_second_factor_is_told_apart_from_a_wrong_password(
        self, instance: SandboxPeople
    ) -> None:
        instance.break_next("GET", status=401, headers={"X-MFA_TOKEN": "invalid"})
        with pytest.raises(Unauthorized, match="second factor"):
            instance.adapter.check()

    def test_an_api_key_goes_in_its_own_header(self, instance: SandboxPeople) -> None:
        key = {"key": instance.sandbox.door.api_key}
        with instance.connect(key, password=None, api_key="secret:key") as adapter:
            assert adapter.check().name == "Triage"
        with (
            instance.connect(
                {"key": Secret("another")}, password=None, api_key="secret:key"
            ) as adapter,
            pytest.raises(Unauthorized),
        ):
            adapter.check()


class TestOAuth:
    @pytest.fixture
    def adapter(self, instance: SandboxPeople) -> Any:
        client = {"client": instance.sandbox.door.client_secret}
        options = {"password": None, "client_id": CLIENT_ID, "client_secret": "secret:client"}
        with instance.connect(client, **options) as adapter:
            yield adapter

    def test_one_token_serves_many_calls(self, instance: SandboxPeople, adapter: Any) -> None:
        adapter.check()
        adapter.describe_fields()
        assert instance.calls(TOKEN) == 1

    def test_it_is_renewed_before_its_end(
        self, instance: SandboxPeople, clock: HandClock, adapter: Any
    ) -> None:
        adapter.check()
        clock.advance(LIFE - 59)
        refused = instance.calls()
        adapter.check()
        assert instance.calls(TOKEN) == 2
        assert instance.calls() - refused == 5  # nothing was sent with the old one and refused

    def test_a_token_that_is_refused_is_renewed_once(
        self, instance: SandboxPeople, adapter: Any
    ) -> None:
        adapter.check()
        instance.sandbox.door.tokens.clear()
        assert adapter.check().name == "Triage"
        assert instance.calls(TOKEN) == 2
        instance.break_next(f"GET {TABLE}/sys_user", times=2, status=401)
        with pytest.raises(Unauthorized):
            adapter.check()
        assert instance.calls(TOKEN) == 3

    def test_a_client_that_is_refused_is_unauthorized(self, instance: SandboxPeople) -> None:
        options = {"password": None, "client_id": CLIENT_ID, "client_secret": "secret:client"}
        with (
            instance.connect({"client": Secret("not it")}, **options) as adapter,
            pytest.raises(Unauthorized, match=r"/oauth_token\.do: 401 access_denied"),
        ):
            adapter.check()
        assert instance.calls(TOKEN) == 1

    @pytest.mark.parametrize("body", [{}, {"access_token": None}, "<html></html>"])
    def test_an_answer_without_a_token_is_tried_again(
        self, instance: SandboxPeople, adapter: Any, body: object
    ) -> None:
        instance.break_next(TOKEN, status=200, body=body)
        with pytest.raises(Retry):
            adapter.check()

    def test_a_life_that_is_untold_is_taken_for_ten_minutes(
        self, instance: SandboxPeople, clock: HandClock, adapter: Any
    ) -> None:
        door = instance.sandbox.door
        door.tokens["t"] = clock.now().timestamp() + LIFE
        instance.break_next(TOKEN, status=200, body={"access_token": "t"})
        adapter.check()
        clock.advance(500)
        adapter.check()
        assert instance.calls(TOKEN) == 1
        clock.advance(100)
        adapter.check()
        assert instance.calls(TOKEN) == 2

    def test_a_poll_goes_on_over_a_renewal(self, instance: SandboxPeople, adapter: Any) -> None:
        start = present(instance)
        instance.arrive(SUBJECT, TEXT)
        instance.sandbox.door.tokens.clear()
        assert walk(adapter.changed_since(start))[-1].last
