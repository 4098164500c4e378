"""What Request Tracker's REST2 does, oddities included: held against the sandbox, or a real one.

The adapter is built on each of these. Where a server is configured (see `test_rt.py`), they run on
it, and so keep the sandbox true.
"""

from typing import Any

import pytest
import requests
from people import SUBJECT, TEXT
from rt_people import TAGS_FIELD, RtPeople

from connector.model import TicketId


@pytest.fixture
def desk(rt_desk: RtPeople) -> RtPeople:
    return rt_desk


@pytest.fixture
def ticket(desk: RtPeople) -> TicketId:
    return desk.arrive(SUBJECT, TEXT)


def ask(desk: RtPeople, method: str, path: str, **more: Any) -> requests.Response:
    headers = {
        "Authorization": f"token {desk.tokens['triage'].reveal()}",
        **more.pop("headers", {}),
    }
    url = f"{desk.url}/REST/2.0/{path}"
    return desk._http.request(method, url, headers=headers, timeout=60, **more)


def put(desk: RtPeople, ticket: TicketId, **changes: Any) -> list[str]:
    answer = ask(desk, "PUT", f"ticket/{ticket}", json=changes)
    assert answer.status_code == 200
    told: list[str] = answer.json()
    return told


def search(desk: RtPeople, kind: str, query: str, **more: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(desk, "GET", kind, params={"query": query, **more}).json()
    return found


def values(desk: RtPeople, ticket: TicketId, name: str) -> list[str | None]:
    rows = ask(desk, "GET", f"ticket/{ticket}").json()["CustomFields"]
    found: list[str | None] = next(row["values"] for row in rows if row["name"] == name)
    return found


class TestUpdates:
    def test_a_refused_value_is_told_with_status_200(self, desk: RtPeople, ticket) -> None:
        assert put(desk, ticket, CustomFields={"Category": "no option"}) == [
            "Invalid value for custom field"
        ]
        assert values(desk, ticket, "Category") == []

    def test_what_is_not_refused_is_done_all_the_same(self, desk: RtPeople, ticket) -> None:
        told = put(desk, ticket, Owner="no such user", CustomFields={"Category": "network"})
        assert f"Ticket {ticket}: That user does not exist" in told
        assert values(desk, ticket, "Category") == ["network"]

    def test_an_unknown_field_is_passed_over_in_silence(self, desk: RtPeople, ticket) -> None:
        assert put(desk, ticket, Priorty=5, CustomFields={"Nope": "x", "99999": "y"}) == []

    def test_the_same_value_again_changes_nothing(self, desk: RtPeople, ticket) -> None:
        put(desk, ticket, CustomFields={"Category": "network"})
        before = ask(desk, "GET", f"ticket/{ticket}")
        desk.later()
        assert put(desk, ticket, CustomFields={"Category": "network"}) == []
        after = ask(desk, "GET", f"ticket/{ticket}")
        assert after.headers["ETag"] == before.headers["ETag"]
        assert after.json()["LastUpdated"] == before.json()["LastUpdated"]

    def test_a_priority_in_a_word_that_is_unknown_becomes_0(self, desk: RtPeople, ticket) -> None:
        put(desk, ticket, Priority=80)
        put(desk, ticket, Priority="urgent")
        assert ask(desk, "GET", f"ticket/{ticket}").json()["Priority"] == "0"

    def test_a_field_that_is_emptied_twice_holds_an_empty_value(
        self, desk: RtPeople, ticket
    ) -> None:
        put(desk, ticket, CustomFields={"Category": "network"})
        put(desk, ticket, CustomFields={"Category": None})
        assert values(desk, ticket, "Category") == []
        put(desk, ticket, CustomFields={"Category": None})
        assert values(desk, ticket, "Category") == [None]

    def test_a_list_replaces_all_values(self, desk: RtPeople, ticket) -> None:
        put(desk, ticket, CustomFields={TAGS_FIELD: ["b", "a"]})
        put(desk, ticket, CustomFields={TAGS_FIELD: ["c", "a"]})
        assert sorted(str(each) for each in values(desk, ticket, TAGS_FIELD)) == ["a", "c"]

    def test_the_mark_is_the_newest_transaction_and_a_stale_one_is_refused(
        self, desk: RtPeople, ticket
    ) -> None:
        mark = ask(desk, "GET", f"ticket/{ticket}").headers["ETag"]
        put(desk, ticket, CustomFields={"Category": "network"})
        changes = {"CustomFields": {"Category": "hardware"}}
        stale = ask(desk, "PUT", f"ticket/{ticket}", json=changes, headers={"If-Match": mark})
        assert (stale.status_code, stale.json()) == (412, {"message": "Precondition Failed"})
        now = ask(desk, "GET", f"ticket/{ticket}").headers["ETag"]
        newest = search(
            desk, "transactions", "ObjectType = 'RT::Ticket'", orderby="id", order="DESC"
        )
        assert now == f'"{newest["items"][0]["id"]}"'
        fresh = ask(desk, "PUT", f"ticket/{ticket}", json=changes, headers={"If-Match": now})
        assert fresh.status_code == 200


class TestSearches:
    def test_a_page_is_cut_before_hidden_rows_are_left_out(self, desk: RtPeople, ticket) -> None:
        desk.note(ticket, "not for everybody")
        query = f"ObjectType = 'RT::Ticket' AND ObjectId = {ticket}"
        more = {"orderby": "id", "order": "DESC", "per_page": "1", "fields": "Type"}
        first = search(desk, "transactions", f"{query} AND Type != 'CommentEmailRecord'", **more)
        assert (first["items"], first["total"], first["pages"]) == ([], None, None)
        silent = search(desk, "transactions", f"{query} AND Type != 'Comment'", **more, page="1")
        assert silent["total"] is None

    def test_ranges_of_numbers_can_be_asked_for(self, desk: RtPeople, ticket) -> None:
        own = f"ObjectType = 'RT::Ticket' AND ObjectId = {ticket} AND Type = 'Create'"
        number = search(desk, "transactions", own)["items"][0]["id"]
        ranges = f"(id >= {number} AND id <= {number}) OR id > 99999999"
        rows = search(desk, "transactions", f"{own} AND ({ranges})")["items"]
        assert [row["id"] for row in rows] == [number]

    def test_deleted_and_merged_tickets_are_left_out_and_read_by_number(
        self, desk: RtPeople, ticket
    ) -> None:
        deleted, merged = desk.arrive(SUBJECT, TEXT), desk.arrive(SUBJECT, TEXT)
        desk.delete(deleted)
        desk.put(merged, {"MergeInto": int(ticket)})
        found = search(desk, "tickets", f"id = {ticket} OR id = {deleted} OR id = {merged}")
        assert [row["id"] for row in found["items"]] == [ticket]
        assert ask(desk, "GET", f"ticket/{deleted}").json()["Status"] == "deleted"
        assert ask(desk, "GET", f"ticket/{merged}").json()["id"] == int(ticket)

    def test_the_lifecycle_tells_which_tickets_are_done(self, desk: RtPeople, ticket) -> None:
        query = f"id = {ticket} AND Status = '__{{}}__'"
        states = ("Active", "Inactive")
        assert [search(desk, "tickets", query.format(s))["count"] for s in states] == [1, 0]
        desk.change(ticket, solve=True)
        assert [search(desk, "tickets", query.format(s))["count"] for s in states] == [0, 1]

    def test_texts_of_several_transactions_come_in_one_call(self, desk: RtPeople, ticket) -> None:
        desk.reply(ticket, "and another thing")
        query = (
            f"ObjectType = 'RT::Ticket' AND ObjectId = {ticket} AND "
            "(Type = 'Create' OR Type = 'Correspond')"
        )
        numbers = [row["id"] for row in search(desk, "transactions", query)["items"]]
        conditions: list[dict[str, str]] = [
            {"field": "TransactionId", "operator": "=", "value": number} for number in numbers
        ]
        conditions.append({"field": "ContentType", "operator": "STARTSWITH", "value": "text/"})
        path = "attachments?fields=Content,TransactionId"
        rows = ask(desk, "POST", path, json=conditions).json()["items"]
        assert {row["TransactionId"]: row["Content"] for row in rows} == {
            numbers[0]: TEXT,
            numbers[1]: "and another thing",
        }

    def test_the_parent_of_an_attachment_is_better_not_asked_for(self, desk: RtPeople) -> None:
        desk.arrive(SUBJECT, TEXT)
        condition = {"field": "TransactionId", "operator": ">", "value": 0}
        answer = ask(desk, "POST", "attachments?fields=Parent&per_page=1", json=[condition])
        assert answer.status_code == 500

    def test_a_query_that_cannot_be_read_is_refused(self, desk: RtPeople) -> None:
        answer = ask(desk, "GET", "transactions", params={"query": "Nonsense = 3"})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Unknown field: Nonsense")


class TestPeople:
    def test_one_sees_all_of_oneself_and_a_summary_of_others(self, desk: RtPeople) -> None:
        me = ask(desk, "GET", f"user/{desk.account}").json()
        assert {"Disabled", "Memberships", "id"} <= set(me)
        other = ask(desk, "GET", "user/rita").json()
        assert not {"Disabled", "Memberships", "id"} & set(other)

    def test_a_token_names_the_number_of_its_owner(self, desk: RtPeople) -> None:
        number = desk.tokens["triage"].reveal().split("-")[1]
        assert ask(desk, "GET", f"user/{desk.account}").json()["id"] == int(number)

    def test_a_wrong_token_is_unauthorized(self, desk: RtPeople) -> None:
        answer = ask(desk, "GET", "rt", headers={"Authorization": "token 1-2-3"})
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})

    def test_who_may_not_delete_meets_a_stumble(self, desk: RtPeople, ticket) -> None:
        assert ask(desk, "DELETE", f"ticket/{ticket}").status_code == 500
