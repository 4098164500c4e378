"""The calls to Request Tracker's REST2 interface, over the one network seam."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import count, islice
from typing import Any
from urllib.parse import quote

import requests

from adapters.http import DeskSession, json_object
from adapters.rt.catalog import Json, id_of
from adapters.rt.mapping import error_code
from connector.errors import Retry
from connector.model import Secret
from connector.ports import Clock

ROWS = 100
"""Rows of a page: the most that REST2 gives."""

TICKETS_PER_CALL = 50
"""Tickets that one search names: the address that holds it stays below two kilobytes."""

HIDDEN_PAGES = 50
"""Pages in a row whose rows are all hidden from us after which a walk is given up for this time.

REST2 cuts pages first and leaves out what the account may not see afterwards, so that a page may
be empty without being the last.
"""

HIDDEN_QUEUE_PAGES = 2
"""The same for the list of queues, of which nobody hides two hundred in a row."""

TICKET_FIELDS = (
    "Subject,Status,Queue,Owner,Priority,Created,LastUpdated,Creator,Requestor,CustomFields"
)
TRANSACTION_FIELDS = "ObjectId,Type,Field,OldValue,NewValue,Creator"

SILENT = ("Comment", "CommentEmailRecord", "EmailRecord")
"""Transactions that say nothing new to triage: internal comments, and mail that RT sent. Some
accounts may not see them, and then they would only make pages short."""

_WIDENING = ((1, 1), *((ROWS, number) for number in range(1, HIDDEN_PAGES + 1)))
"""Rows and number of the pages on which the newest visible row is looked for: mostly the first."""

_HEARD = " AND ".join(f"Type != '{each}'" for each in SILENT)
_TICKET = r"/REST/2\.0/ticket/\d+(/comment)?$"
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN})
"""What a ticket's address answers when it is gone, or in a queue that we may not see."""

Authorize = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class RtClient:
    """Calls to one Request Tracker, as JSON in and out; threads may share it."""

    def __init__(self, url: str, authorize: Authorize, clock: Clock) -> None:
        self._api = f"{url}/REST/2.0"
        self._session = DeskSession(
            url, clock, error_code=error_code, tickets=_TICKET, absent=_ABSENT
        )
        self._session.auth = authorize

    @property
    def session(self) -> DeskSession:
        """Give what all calls go through."""
        return self._session

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def user(self, name: str) -> Json:
        """Read a user by name or number: all of it if it is us, a summary otherwise."""
        return self._get(f"user/{quote(name, safe='')}")

    def queues(self) -> list[Json]:
        """Read the queues that we may see."""
        rows: list[Json] = []
        empty = 0
        for number in count(1):
            page = self._page("queues/all", {"fields": "Name"}, ROWS, number)
            rows += _items(page)
            empty = 0 if _items(page) else empty + 1
            if empty == HIDDEN_QUEUE_PAGES or _is_whole(page, number):
                break
        return rows

    def queue(self, queue_id: str) -> Json:
        """Read a queue with its watchers and the custom fields of its tickets."""
        return self._get(f"queue/{quote(queue_id, safe='')}")

    def custom_field(self, field_id: str) -> Json:
        """Read a custom field with its type and values."""
        return self._get(f"customfield/{int(field_id)}")

    def members(self, group_id: str) -> list[str]:
        """Read the numbers of a group's users, those of its groups included."""
        found: list[str] = []
        for number in count(1):
            options = {"recursively": "1", "groups": "0"}
            rows = _items(self._page(f"group/{int(group_id)}/members", options, ROWS, number))
            found += [id_of(row.get("id")) for row in rows]
            if len(rows) < ROWS:
                return found
        return found

    def tickets(self, query: str, rows: int = ROWS, page: int = 1) -> Json:
        """Search tickets: those that exist, are not deleted or merged, and that we may see."""
        told = {"query": query, "fields": TICKET_FIELDS, "orderby": "id", "order": "ASC"}
        return self._page("tickets", told, rows, page)

    def tickets_of(self, ids: Sequence[str]) -> Iterator[Json]:
        """Read tickets by number; those that `tickets` would not find are left out."""
        wanted = iter(ids)
        while chunk := list(islice(wanted, TICKETS_PER_CALL)):
            yield from _items(self.tickets(_any("id", chunk)))

    def ticket(self, ticket_id: str) -> tuple[Json, str]:
        """Read one ticket, also a deleted one, and the tag that makes a write conditional.

        Raises `Gone`. A ticket that was merged into another gives that other one.
        """
        response = self._session.get(f"{self._api}/ticket/{int(ticket_id)}")
        tag = response.headers.get("ETag", "")
        if not tag:
            raise Retry(f"ticket {ticket_id}: the answer has no ETag")
        return json_object(response), tag

    def update(self, ticket_id: str, changes: Json, tag: str) -> list[str]:
        """Set what is told if the ticket still carries `tag`; give what the desk says to that.

        Any answer with status 200 may hold refusals.
        """
        url = f"{self._api}/ticket/{int(ticket_id)}"
        response = self._session.put(url, json=changes, headers={"If-Match": tag})
        try:
            told = response.json()
        except ValueError:
            told = None
        if not isinstance(told, list):
            raise Retry(f"ticket {ticket_id}: the answer is no list of messages")
        return [str(message) for message in told]

    def comment(self, ticket_id: str, text: str) -> None:
        """Add a comment in plain text; raises `Gone`."""
        told = {"Content": text, "ContentType": "text/plain"}
        self._session.post(f"{self._api}/ticket/{int(ticket_id)}/comment", json=told)

    def transactions(self, condition: str, rows: int = ROWS, page: int = 1) -> list[Json]:
        """Search what happened to tickets, oldest first; hidden rows leave a page short."""
        return self._transactions(condition, "ASC", rows, page)

    def newest_transaction(self) -> int:
        """Give the number of the newest transaction of a ticket that we may see; 0: none."""
        pages = (self._transactions("id > 0", "DESC", *page) for page in _WIDENING)
        return next((int(id_of(rows[0].get("id"))) for rows in pages if rows), 0)

    def messages_of(self, ids: Sequence[str], types: str) -> Iterator[Json]:
        """Read the transactions of tickets that meet a condition and are never hidden."""
        for number in count(1):
            rows = self.transactions(f"({_any('ObjectId', ids)}) AND ({types})", ROWS, number)
            yield from rows
            if len(rows) < ROWS:
                return

    def texts_of(self, transactions: Sequence[str]) -> Iterator[Json]:
        """Read the textual parts of transactions, oldest first; other attachments stay there."""
        conditions: list[Json] = [
            *({"field": "TransactionId", "operator": "=", "value": each} for each in transactions),
            {"field": "ContentType", "operator": "STARTSWITH", "value": "text/"},
        ]
        fields = "Content,ContentType,TransactionId,Filename"
        for number in count(1) if transactions else ():
            rows = self._attachments(conditions, fields, number)
            yield from rows
            if len(rows) < ROWS:
                return

    def mails_caused_by(self, address: str, after: int) -> list[Json]:
        """Read mails that RT sent because of what somebody did, if we may see outgoing mail."""
        conditions: list[Json] = [
            {"field": "TransactionId", "operator": ">", "value": after},
            {"field": "Headers", "operator": "LIKE", "value": f"X-RT-Originator: {address}"},
        ]
        return self._attachments(conditions, "TransactionId", 1)

    def sees_outgoing_mail(self) -> bool:
        """Whether any of the newest mails that RT sent can be seen."""
        told = {
            "query": "ObjectType = 'RT::Ticket' AND Type = 'EmailRecord'",
            "orderby": "id",
            "order": "DESC",
        }
        return bool(_items(self._page("transactions", told, ROWS, 1)))

    def _transactions(self, condition: str, order: str, rows: int, page: int) -> list[Json]:
        told = {
            "query": f"ObjectType = 'RT::Ticket' AND {_HEARD} AND ({condition})",
            "fields": TRANSACTION_FIELDS,
            "orderby": "id",
            "order": order,
        }
        return _items(self._page("transactions", told, rows, page))

    def _attachments(self, conditions: Sequence[Json], fields: str, page: int) -> list[Json]:
        told = {"fields": fields, "orderby": "id", "per_page": str(ROWS), "page": str(page)}
        url = f"{self._api}/attachments"
        return _items(json_object(self._session.post(url, params=told, json=conditions)))

    def _page(self, path: str, told: Mapping[str, str], rows: int, page: int) -> Json:
        return self._get(path, {**told, "per_page": str(rows), "page": str(page)})

    def _get(self, path: str, told: Mapping[str, str] | None = None) -> Json:
        return json_object(self._session.get(f"{self._api}/{path}", params=told))


def _any(field: str, values: Sequence[str]) -> str:
    return " OR ".join(f"{field} = {int(value)}" for value in values)


def _items(page: Json) -> list[Json]:
    items = page.get("items")
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise Retry("the answer lists no items")
    return items


def _is_whole(page: Json, number: int) -> bool:
    """Whether the desk says that this was the last page; it does so only if it hides no row."""
    pages: Any = page.get("pages")
    return isinstance(pages, int | float) and number >= pages


def token_auth(token: Secret) -> Authorize:
    """Authorize by an auth token."""
    return _authorize(b"token " + token.reveal().encode())


def password_auth(account: str, password: Secret) -> Authorize:
    """Authorize by name and password, both as UTF-8 (RFC 7617)."""
    pair = f"{account}:{password.reveal()}".encode()
    return _authorize(b"Basic " + base64.b64encode(pair))


def _authorize(header: bytes) -> Authorize:
    """Set the header on each request: a netrc file would replace one that the session holds."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = header  # type: ignore[assignment] # bytes go as they are
        return request

    return authorize
