"""What Request Tracker refuses, and what its administrator is warned of."""

from pathlib import Path

import pytest
from people import SUBJECT, TEXT, category, read, walk
from rt_people import RtSandboxPeople

from connector.errors import Rejected, Retry, Unauthorized
from connector.model import Secret, TicketId

SEARCH = "GET /REST/2.0/transactions"


class TestStaffAndWarnings:
    def test_a_desk_in_order_gives_no_warning(self, rt_sandboxed: RtSandboxPeople) -> None:
        rt_sandboxed.arrive(SUBJECT, TEXT)
        assert rt_sandboxed.adapter.check().warnings == ()

    def test_teams_replace_the_admin_ccs_of_a_queue(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        desk.sandbox.state.user("bo", "Bo Berg", "bo@sandbox.example", staff=True)
        with desk.connect(teams={"Support": ("bo", "left.us"), "Nowhere": ("ann",)}) as adapter:
            (agent,) = adapter.staff().agents
            assert (agent.id, agent.name, agent.email) == ("bo", "Bo Berg", "bo@sandbox.example")
            (warning,) = (each for each in adapter.check().warnings if "teams" in each)
            assert "'Nowhere'" in warning

    def test_a_queue_that_nobody_serves_is_no_group_yet(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """Where all mail arrives in one queue, a suggestion must be free to name another's team."""
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        queue = desk.sandbox.state.queue_id("Support")
        assert read(desk, ticket).group == str(queue)
        desk.sandbox.state.watchers[queue] = []
        with desk.connect() as adapter:
            assert [each.group for each in adapter.fetch([ticket])] == [""]
        with desk.connect(teams={"Support": ("ann",)}) as adapter:
            assert [each.group for each in adapter.fetch([ticket])] == [str(queue)]

    def test_members_of_a_group_are_listed_where_they_may_be_read(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        state = desk.sandbox.state
        state.groups[31] = ["ann"]
        state.watchers[state.queue_id("Support")] = [("group", "31"), ("user", "ann")]
        with desk.connect() as adapter:
            (warning,) = (each for each in adapter.check().warnings if "AdminCc" in each)
            assert "'Support'" in warning
            assert [agent.id for agent in adapter.staff().agents] == ["ann"]
            state.watchers[state.queue_id("Support")] = [("group", "31")]
            assert adapter.staff().agents == ()
            state.rights |= {"AdminGroupMembership"}
            assert not [each for each in adapter.check().warnings if "AdminCc" in each]
            assert [agent.id for agent in adapter.staff().agents] == ["ann"]

    def test_fields_that_cannot_be_described_are_named_and_still_written(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """SeeCustomField on a queue shows that a field is there, not what it takes."""
        desk = rt_sandboxed
        desk.sandbox.state.rights.discard("SeeCustomField")
        with desk.connect(tags_field=None) as adapter:
            (warning,) = (each for each in adapter.check().warnings if "SeeCustomField" in each)
            assert "'Category'" in warning
            infos = {info.id: info for info in adapter.describe_fields()}
            assert (infos["Category"].kind, infos["Category"].options) == ("text", ())
            (ticket,) = adapter.fetch([desk.arrive(SUBJECT, TEXT)])
            after = adapter.write(ticket, [category(desk, "network")])
            assert after.fields["Category"] == "network"
            with pytest.raises(Rejected):
                adapter.write(after, [category(desk, "no option")])

    def test_mail_that_our_changes_cause_is_warned_of(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        desk.sandbox.state.mail(desk.sandbox.state.tickets[int(ticket)], "triage")
        (warning,) = desk.adapter.check().warnings
        assert "RT sent mail because this account changed tickets" in warning

    def test_mail_that_cannot_be_seen_is_warned_of(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        desk.arrive(SUBJECT, TEXT)
        desk.sandbox.state.rights.discard("ShowOutgoingEmail")
        (warning,) = desk.adapter.check().warnings
        assert "ShowOutgoingEmail" in warning

    def test_an_account_that_sees_nothing_is_told_so(self, rt_sandboxed: RtSandboxPeople) -> None:
        """RT answers 200 and nothing, as if there were no queue and no ticket."""
        desk = rt_sandboxed
        assert [each for each in desk.adapter.check().warnings if "ShowTicket" in each]
        desk.sandbox.state.queues.clear()
        (warning,) = desk.adapter.check().warnings
        assert "SeeQueue" in warning


class TestTrapsOfTheCredential:
    def test_a_netrc_file_does_not_replace_the_token(
        self, rt_sandboxed: RtSandboxPeople, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login mallory password x\n", encoding="utf-8")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        assert rt_sandboxed.adapter.check().account == "triage"

    def test_a_password_serves_as_well(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        secrets = {"password": desk.sandbox.state.password}
        with desk.connect(secrets, token=None, password="secret:password") as adapter:
            assert adapter.check().name == "Triage"
        with (
            desk.connect(
                {"password": Secret("wrong")}, token=None, password="secret:password"
            ) as a,
            pytest.raises(Unauthorized, match="401 Unauthorized"),
        ):
            a.check()

    def test_a_wrong_token_is_unauthorized(self, rt_sandboxed: RtSandboxPeople) -> None:
        with rt_sandboxed.connect({"token": Secret("1-2-3")}) as adapter:
            with pytest.raises(Unauthorized):
                adapter.check()
            with pytest.raises(Unauthorized):
                walk(adapter.changed_since(None))

    def test_a_token_of_somebody_else_is_told_at_once(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        with (
            desk.connect({"token": desk.tokens["root"]}) as adapter,
            pytest.raises(Unauthorized, match="not one of the user 'triage'"),
        ):
            adapter.check()
        with (
            desk.connect(account="nobody.known") as adapter,
            pytest.raises(Unauthorized, match=r"user/nobody\.known"),
        ):
            adapter.check()


class TestTrapsOfTheLimits:
    @pytest.mark.parametrize(
        ("headers", "after"),
        [({"Retry-After": "7"}, 7.0), ({}, None), ({"Retry-After": "soon"}, None)],
        ids=["seconds", "missing", "garbage"],
    )
    def test_a_429_of_a_proxy_with_a_text_body_is_a_retry(
        self, rt_sandboxed: RtSandboxPeople, headers: dict[str, str], after: float | None
    ) -> None:
        rt_sandboxed.break_next("GET /REST/2.0/", status=429, headers=headers, body="too many")
        with pytest.raises(Retry) as refused:
            rt_sandboxed.adapter.fetch([TicketId("1")])
        assert refused.value.after == after

    @pytest.mark.parametrize(
        "body", ["<html>sign in</html>", "", [], {"items": None}, {"items": [1]}, {"count": 0}]
    )
    def test_an_answer_that_lists_nothing_is_no_empty_list(
        self, rt_sandboxed: RtSandboxPeople, body: object
    ) -> None:
        """A login page, or a proxy's, answers 200: read as empty it would lose tickets."""
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        for call in ("GET /REST/2.0/tickets", SEARCH, "POST /REST/2.0/attachments"):
            desk.break_next(call, status=200, body=body)
            with pytest.raises(Retry):
                desk.adapter.fetch([ticket])

    @pytest.mark.parametrize("body", ["<html>", {"message": "?"}, None])
    def test_a_write_whose_answer_cannot_be_read_is_tried_again(
        self, rt_sandboxed: RtSandboxPeople, body: object
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.break_next(f"PUT /REST/2.0/ticket/{ticket.id}", status=200, body=body)
        with pytest.raises(Retry):
            desk.adapter.write(ticket, [category(desk, "network")])
