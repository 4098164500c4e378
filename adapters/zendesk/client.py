"""The calls to Zendesk: zenpy where it serves, plain requests where it would lose something.

zenpy reads and updates objects. The incremental export (zenpy stops at an empty page and follows
foreign addresses) and tags (zenpy has no conditional write of them) are called directly. Both go
through one session, so that both share the pace, the time-outs and our errors; zenpy's own waiting
on 429 is never reached because the session raises first.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import HTTPBasicAuth
from zenpy import Zenpy
from zenpy.lib.api_objects import Ticket as ZenpyTicket
from zenpy.lib.exception import APIException, ZenpyException

from adapters.http import DeskSession, Pacer, json_object
from adapters.zendesk.config import ZendeskDesk
from adapters.zendesk.mapping import Json, error_code, ignored_keys
from connector.errors import Rejected, Retry
from connector.model import Secret
from connector.ports import Clock

TICKETS_PER_CALL = 100
"""The most ids that `show_many` takes."""

EXPORT_PAGE = 1000
"""Tickets per page of the export: the most it gives, since its calls are what is scarce."""

_TICKET = r"^/api/v2/tickets/\d+"
_MISREAD = (ZenpyException, APIException, KeyError, TypeError, ValueError, AttributeError)


def _refuse_ignored(response: requests.Response, *_args: object, **_kwargs: object) -> None:
    """Raise `Rejected` when the desk said "yes" but dropped a key; it tells so in a header only."""
    ignored = ignored_keys(response.headers.get("X-Zendesk-API-Warn", ""))
    if ignored and response.ok and response.request.method != "GET":
        path = urlsplit(response.request.url or "").path
        raise Rejected(f"{response.request.method} {path}: ignored {', '.join(ignored)}")


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn zenpy's failure to read an answer into `Retry`, without quoting the answer."""
    try:
        yield
    except _MISREAD as error:
        raise Retry(f"{what}: the answer cannot be read ({type(error).__name__})") from None


class ZendeskClient:
    """Calls to one Zendesk account, as JSON in and out; threads may share it."""

    def __init__(self, options: ZendeskDesk, token: Secret, clock: Clock) -> None:
        self._url = options.url
        self._pacer = Pacer(clock, options.export_interval)
        self._mine = threading.local()
        self._session = DeskSession(options.url, clock, error_code=error_code, tickets=_TICKET)
        # As bytes: requests would write text as Latin-1 and stumble over anything else.
        self._session.auth = HTTPBasicAuth(
            f"{options.account}/token".encode(), token.reveal().encode()
        )
        self._session.hooks["response"].append(_refuse_ignored)
        logging.getLogger("zenpy").setLevel(logging.WARNING)  # at DEBUG it logs ticket text

    @property
    def session(self) -> DeskSession:
        """Give what all calls go through."""
        return self._session

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def me(self) -> Json:
        """Read the user that the credential belongs to."""
        return self._one("users/me", lambda zenpy: zenpy.users.me())

    def ticket_fields(self) -> list[Json]:
        """Read every ticket field of the account."""
        return self._all("ticket_fields", lambda zenpy: zenpy.ticket_fields())

    def groups(self) -> list[Json]:
        """Read every assignment group."""
        return self._all("groups", lambda zenpy: zenpy.groups())

    def memberships(self) -> list[Json]:
        """Read who serves in which group."""
        return self._all("group_memberships", lambda zenpy: zenpy.group_memberships())

    def memberships_of(self, agent: str) -> list[Json]:
        """Read in which groups one agent serves."""
        return self._all(
            "group_memberships", lambda zenpy: zenpy.users.group_memberships(user=int(agent))
        )

    def agents(self) -> list[Json]:
        """Read every agent and administrator."""
        return self._all("users", lambda zenpy: zenpy.users(role=["agent", "admin"]))

    def active_triggers(self) -> list[Json]:
        """Read the triggers that are switched on."""
        response = self._session.get(f"{self._url}/api/v2/triggers/active.json")
        return list(json_object(response).get("triggers") or ())

    def active_automations(self) -> list[Json]:
        """Read the automations that are switched on."""
        response = self._session.get(f"{self._url}/api/v2/automations/active.json")
        return list(json_object(response).get("automations") or ())

    def webhooks(self) -> list[Json]:
        """Read the account's webhooks."""
        response = self._session.get(f"{self._url}/api/v2/webhooks")
        return list(json_object(response).get("webhooks") or ())

    def signing_secret(self, webhook: str) -> str:
        """Read the secret with which a webhook signs."""
        url = f"{self._url}/api/v2/webhooks/{quote(webhook, safe='')}/signing_secret"
        told = json_object(self._session.get(url)).get("signing_secret") or {}
        return str(told.get("secret") or "")

    def last_invocation(self, webhook: str) -> Json | None:
        """Read how a webhook's newest call went; `None` before the first."""
        url = f"{self._url}/api/v2/webhooks/{quote(webhook, safe='')}/invocations"
        rows = json_object(self._session.get(url)).get("invocations") or ()
        return max(rows, key=lambda row: str(row.get("latest_completed_at") or ""), default=None)

    def ticket_field(self, field: str) -> Json:
        """Read one ticket field."""
        response = self._session.get(f"{self._url}/api/v2/ticket_fields/{int(field)}.json")
        return dict(json_object(response).get("ticket_field") or {})

    def set_field_options(self, field: str, options: Sequence[Json]) -> Json:
        """Replace a drop-down's options; give the field as it came back."""
        url = f"{self._url}/api/v2/ticket_fields/{int(field)}.json"
        body = {"ticket_field": {"custom_field_options": list(options)}}
        return dict(json_object(self._session.put(url, json=body)).get("ticket_field") or {})

    def tickets(self, ids: Sequence[str]) -> list[Json]:
        """Read at most `TICKETS_PER_CALL` tickets; ids that do not exist are left out."""
        return self._all(
            "tickets", lambda zenpy: zenpy.tickets(ids=list(ids), include="comment_count")
        )

    def ticket(self, ticket_id: str) -> Json:
        """Read one ticket; raises `Gone`."""
        return self._one("ticket", lambda zenpy: zenpy.tickets(id=int(ticket_id)))

    def comments(self, ticket_id: str) -> list[Json]:
        """Read a ticket's comments, oldest first; raises `Gone`."""
        return self._all("comments", lambda zenpy: zenpy.tickets.comments(ticket=int(ticket_id)))

    def update(self, ticket_id: str, changes: Json, stamp: str) -> Json:
        """Set attributes if the ticket still carries `stamp`; give the ticket as it came back."""
        ticket = ZenpyTicket(id=int(ticket_id))
        ticket._clean_dirty()  # noqa: SLF001 zenpy offers no other way to send only what we set
        for name, value in {**changes, "safe_update": True, "updated_stamp": stamp}.items():
            setattr(ticket, name, value)

        def put(zenpy: Zenpy) -> Any:
            answer = zenpy.tickets.update(ticket)
            return getattr(answer, "ticket", answer)

        return self._one("ticket", put)

    def note(self, ticket_id: str, text: str) -> None:
        """Add a comment that is not public; raises `Gone`."""
        told = {"ticket": {"comment": {"body": text, "public": False}}}
        self._session.put(f"{self._url}/api/v2/tickets/{int(ticket_id)}.json", json=told)

    def add_tags(self, ticket_id: str, tags: Sequence[str], stamp: str) -> Sequence[str]:
        """Add tags to those that a ticket has if it still carries `stamp`; give all afterwards."""
        body = {"tags": tags, "updated_stamp": stamp, "safe_update": "true"}
        answer = json_object(self._session.put(self._tags(ticket_id), json=body))
        return [str(tag) for tag in answer.get("tags") or ()]

    def remove_tags(self, ticket_id: str, tags: Sequence[str]) -> None:
        """Take tags away; harmless where they are not there."""
        self._session.delete(self._tags(ticket_id), json={"tags": tags})

    def export_from(self, start: int) -> Json:
        """Read the first page of the incremental export since a Unix time."""
        return self._export({"start_time": start})

    def export_after(self, cursor: str) -> Json:
        """Read the page of the incremental export that follows a cursor."""
        return self._export({"cursor": cursor})

    def _export(self, position: dict[str, str | int]) -> Json:
        self._pacer.wait()
        url = f"{self._url}/api/v2/incremental/tickets/cursor.json"
        return json_object(self._session.get(url, params={**position, "per_page": EXPORT_PAGE}))

    def _tags(self, ticket_id: str) -> str:
        return f"{self._url}/api/v2/tickets/{int(ticket_id)}/tags.json"

    def _one(self, what: str, call: Callable[[Zenpy], Any]) -> Json:
        with _reading(what):
            return _as_json(call(self._zenpy()))

    def _all(self, what: str, call: Callable[[Zenpy], Iterable[Any]]) -> list[Json]:
        with _reading(what):
            answer = call(self._zenpy())
            if isinstance(answer, requests.Response):  # what zenpy gives when it was no JSON
                raise TypeError(type(answer).__name__)
            return [_as_json(item) for item in answer]

    def _zenpy(self) -> Zenpy:
        """Give this thread's zenpy: shared by two threads, one loses the other's change."""
        client = getattr(self._mine, "client", None)
        if client is None:
            client = self._mine.client = _new_zenpy(self._url, self._session)
        return client


def _as_json(item: Any) -> Json:
    answer = item.to_dict()
    if not isinstance(answer, dict):
        raise TypeError(type(answer).__name__)
    return answer


def _new_zenpy(url: str, session: DeskSession) -> Zenpy:
    """Make a zenpy that uses our session and its credential, and keeps no copy of any object.

    zenpy joins two names with a dot and `https`; that also spells a sandbox's loopback address.
    """
    scheme, _, netloc = url.partition("://")
    subdomain, _, domain = netloc.partition(".")
    client = Zenpy(
        subdomain=subdomain, domain=domain, session=session, anonymous=True, disable_cache=True
    )
    for api in vars(client).values():
        if hasattr(api, "protocol"):
            api.protocol = scheme
    return client
