"""The sandbox's reading calls: users, queues, fields, tickets, transactions and attachments."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from math import ceil
from typing import Any

from adapters.rt.sandbox import ticketsql
from adapters.rt.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.rt.sandbox.state import (
    ADMINISTRATOR,
    FIELDS,
    HIDDEN,
    INACTIVE,
    UNSEEN_FIELD,
    DeskState,
    Field,
    Filed,
    Row,
    User,
    stamp,
)

_NEVER = "1970-01-01T00:00:00Z"
_MOST = 100
_TICKET_FIELDS = ("id", "Status", "Queue", "Owner", "Subject", "LastUpdated")
_TRANSACTION_FIELDS = ("id", "ObjectType", "ObjectId", "Type", "Field", "NewValue", "Creator")


class ReadingCalls:
    """Answers that change nothing; who asks decides what is shown."""

    def __init__(self, state: DeskState) -> None:
        self._state = state

    def version(self, _request: Request, _who: str) -> Reply:
        """`GET /rt`."""
        return Reply(body={"Version": "5.0.3"})

    def user(self, request: Request, who: str, key: str) -> Reply:
        """`GET /user/{name or number}`: all of oneself, a summary of others."""
        user = next((u for u in self._state.users.values() if key in {u.name, str(u.id)}), None)
        if user is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        link = {"ref": "self", "type": "user", "id": user.id}
        body: Row = {
            "Name": user.name,
            "RealName": user.real,
            "EmailAddress": user.email,
            "Privileged": int(user.staff),
            "_hyperlinks": [{**link, "_url": _url(request, "user", user.id)}],
        }
        if who in {user.name, ADMINISTRATOR}:
            body.update(id=user.id, Disabled="0", Memberships=[])
        return Reply(body=body)

    def queues(self, request: Request, who: str) -> Reply:
        """`GET /queues/all`."""
        rows = [
            {**_ref(request, "queue", number), "Name": name}
            for number, name in self._state.queues.items()
        ]
        return self._page(request, who, rows)

    def queue(self, request: Request, _who: str, key: str) -> Reply:
        """`GET /queue/{name or number}`: its AdminCc and its tickets' custom fields among it."""
        try:
            number = self._state.queue_id(key)
        except KeyError:
            raise refusal(HTTPStatus.NOT_FOUND) from None
        fields = [
            {**_ref(request, "customfield", each.id), "ref": "customfield", "name": each.name}
            for each in FIELDS
        ]
        watchers = [_ref(request, kind, who) for kind, who in self._state.watchers[number]]
        body = {
            "id": number,
            "Name": self._state.queues[number],
            "Lifecycle": "default",
            "AdminCc": watchers,
            "Cc": [],
            "TicketCustomFields": fields,
        }
        return Reply(body=body)

    def custom_field(self, _request: Request, who: str, field_id: str) -> Reply:
        """`GET /customfield/{id}`: SeeCustomField on the queue is not enough for it."""
        found = next((each for each in FIELDS if each.id == int(field_id)), None)
        if found is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        self._need("SeeCustomField", who)
        body: Row = {
            "id": found.id,
            "Name": found.name,
            "Type": found.type,
            "MaxValues": "0" if found.multiple else "1",
            "LookupType": "RT::Queue-RT::Ticket",
            "Disabled": "0",
        }
        return Reply(body={**body, "Values": list(found.options)} if found.options else body)

    def members(self, request: Request, who: str, group_id: str) -> Reply:
        """`GET /group/{id}/members`: only for those who may change them."""
        self._need("AdminGroupMembership", who)
        names = self._state.groups.get(int(group_id), [])
        rows = [_ref(request, "user", self._state.users[name].id) for name in names]
        return self._page(request, who, rows)

    def _need(self, right: str, who: str) -> None:
        if who != ADMINISTRATOR and right not in self._state.rights:
            raise refusal(HTTPStatus.FORBIDDEN)

    def ticket(self, request: Request, who: str, ticket_id: str) -> Reply:
        """`GET /ticket/{id}`: also of a deleted one; a merged one gives the other."""
        ticket = self.found(ticket_id)
        return Reply(
            body={**self._row(request, ticket), "id": ticket.id},
            headers={"ETag": self.tag(ticket, who)},
        )

    def found(self, ticket_id: str) -> Filed:
        """Give a ticket, also a deleted one; refuses the call otherwise."""
        ticket = self._state.present(int(ticket_id))
        if ticket is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        return ticket

    def tag(self, ticket: Filed, who: str) -> str:
        """Give the mark of a ticket's state: its newest transaction that the caller may see."""
        numbers = [row["id"] for row in self._of(ticket) if self._sees(who, row)]
        return f'"{max(numbers, default=0)}"'

    def _of(self, ticket: Filed) -> Iterable[Row]:
        return (row for row in self._state.transactions if row["ObjectId"] == str(ticket.id))

    def tickets(self, request: Request, who: str) -> Reply:
        """`GET /tickets`: neither deleted nor merged ones."""
        test = self._query(request, _TICKET_FIELDS, self._on_tickets)
        rows = [
            {**_ref(request, "ticket", ticket.id), **self._row(request, ticket)}
            for ticket in self._state.tickets.values()
            if ticket.status != "deleted" and not ticket.merged_into
        ]
        found = [row for row in rows if test(_flat(row))]
        unseen = set() if who == ADMINISTRATOR else {str(each) for each in self._state.unseen}
        sees = lambda row: row["id"] not in unseen  # noqa: E731 two words
        return self._page(request, who, found, sees, counted=not unseen)

    def transactions(self, request: Request, who: str) -> Reply:
        """`GET /transactions`: pages are cut first, and hidden rows left out afterwards."""
        test = self._query(request, _TRANSACTION_FIELDS, lambda *_: None)
        rows = [
            row for row in self._state.transactions if test({**row, "ObjectType": "RT::Ticket"})
        ]
        return self._page(request, who, rows, lambda row: self._sees(who, row), self._transaction)

    def history(self, request: Request, who: str, ticket_id: str) -> Reply:
        """`GET /ticket/{id}/history`."""
        rows = list(self._of(self.found(ticket_id)))
        return self._page(request, who, rows, lambda row: self._sees(who, row), self._transaction)

    def attachments(self, request: Request, who: str) -> Reply:
        """`POST /attachments`: conditions on one field are alternatives."""
        wanted: dict[str, list[tuple[str, str]]] = {}
        for each in request.body:
            wanted.setdefault(each["field"], []).append((each["operator"], str(each["value"])))
        if "Parent" in request.query.get("fields", ""):
            raise refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        rows = [
            row
            for row in self._state.attachments
            if all(any(_fits(row[name], *one) for one in ones) for name, ones in wanted.items())
        ]
        seen = {str(row["id"]) for row in self._state.transactions if self._sees(who, row)}
        return self._page(request, who, rows, lambda row: row["TransactionId"] in seen)

    def _sees(self, who: str, row: Row) -> bool:
        right = "Everything" if row["Field"] == UNSEEN_FIELD else HIDDEN.get(row["Type"])
        return who == ADMINISTRATOR or right is None or right in self._state.rights

    def _query(
        self, request: Request, known: Collection[str], special: ticketsql.Special
    ) -> ticketsql.Test:
        try:
            return ticketsql.parse(request.query.get("query", ""), known, special)
        except ticketsql.QueryError as error:
            raise refusal(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _on_tickets(self, name: str, _sign: str, value: str) -> ticketsql.Test | None:
        if name == "Status" and value.startswith("__"):
            return lambda row: (row["Status"] in INACTIVE) is (value == "__Inactive__")
        if name != "LastUpdated":
            return None
        ago = re.fullmatch(r"(\d+) days ago", value)
        if ago is None:
            raise ticketsql.QueryError("the sandbox reads no date: RT takes it for local time")
        since = stamp(self._state.now() - timedelta(days=int(ago[1])))
        return lambda row: str(row["LastUpdated"]) > since

    def _row(self, request: Request, ticket: Filed) -> Row:
        return {
            "Subject": ticket.subject,
            "Status": ticket.status,
            "Priority": str(ticket.priority),
            "Queue": _ref(request, "queue", ticket.queue),
            "Owner": _ref(request, "user", ticket.owner),
            "Creator": _ref(request, "user", ticket.creator),
            "Requestor": [_ref(request, "user", name) for name in ticket.requestors],
            "Created": stamp(ticket.created),
            "LastUpdated": stamp(ticket.updated),
            "LastUpdatedBy": _ref(request, "user", ticket.updated_by),
            "Resolved": _NEVER,
            "CustomFields": [self._custom(request, ticket, each) for each in reversed(FIELDS)],
        }

    def _custom(self, request: Request, ticket: Filed, each: Field) -> Row:
        values = list(self._state.values(ticket, each))
        return {**_ref(request, "customfield", each.id), "name": each.name, "values": values}

    def _transaction(self, request: Request, row: Row) -> Row:
        shown = {**row, **_ref(request, "transaction", row["id"])}
        return {**shown, "Creator": _ref(request, "user", row["Creator"])}

    def _page(
        self,
        request: Request,
        who: str,
        rows: Sequence[Row],
        sees: Callable[[Row], bool] = lambda _row: True,
        show: Callable[[Request, Row], Row] = lambda _request, row: row,
        *,
        counted: bool = False,
    ) -> Reply:
        """Cut a page, then leave out what the caller may not see; count only where RT would."""
        size = min(request.number("per_page", 20) or 20, _MOST, self._state.page_size_cap)
        number = max(request.number("page", 1), 1)
        down = request.query.get("order", "ASC").upper() == "DESC"
        ordered = sorted(rows, key=lambda row: int(row["id"]), reverse=down)
        cut = ordered[(number - 1) * size : number * size]
        items = [show(request, row) for row in cut if sees(row)]
        known = counted or who == ADMINISTRATOR
        body: dict[str, Any] = {
            "count": len(items),
            "page": number,
            "per_page": size,
            "total": len(ordered) if known else None,
            "pages": ceil(len(ordered) / size) if known else None,
            "items": items,
        }
        return Reply(body=body)

    def empty_page(self, request: Request) -> Reply:
        """Answer a search with a page of which everything is hidden."""
        body = {"count": 0, "page": request.number("page", 1), "total": None, "pages": None}
        return Reply(body={**body, "per_page": request.number("per_page", 20), "items": []})


def _fits(held: object, sign: str, value: str) -> bool:
    if sign == "STARTSWITH":
        return str(held).startswith(value)
    if sign == "LIKE":
        return value in str(held)
    return int(str(held)) > int(value) if sign == ">" else str(held) == value


def _flat(row: Mapping[str, Any]) -> Mapping[str, object]:
    """Give a row with ids where it holds references, as queries see it."""
    return {key: value["id"] if isinstance(value, Mapping) else value for key, value in row.items()}


def _ref(request: Request, kind: str, key: object) -> Row:
    return {"type": kind, "id": str(key), "_url": _url(request, kind, key)}


def _url(request: Request, kind: str, key: object) -> str:
    return f"{request.base}/REST/2.0/{kind}/{key}"


def known_user(state: DeskState, header: str, basic: str) -> User:
    """Give the user whose token, or name and password, a call carries; refuses it otherwise."""
    for user in state.users.values():
        if header == f"token {user.token.reveal()}":
            return user
    if basic == f"triage:{state.password.reveal()}":
        return state.users["triage"]
    raise Refusal(Reply(status=HTTPStatus.UNAUTHORIZED, body={"message": "Unauthorized"}))
