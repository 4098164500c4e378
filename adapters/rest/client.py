"""The calls to a desk as its options describe them, over the one network seam."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urljoin, urlsplit

import requests

from adapters.http import DeskSession
from adapters.origin import Origin
from adapters.rest.config import AuthOptions, PagesOptions, RestDesk
from adapters.rest.pointer import ABSENT, follow
from connector.errors import Gone, Rejected, Retry
from connector.model import Secret
from connector.ports import Clock

MOST_PAGES = 10_000
"""Pages of one walk, after which a desk counts as one that never ends: a million tickets."""

_CODE = re.compile(r"[A-Z]{2,}(_[A-Z0-9]+)*|[a-z]+(_[a-z]+)+|([A-Z][a-z]+){2,}|[0-9]{3,6}")
"""What a code looks like, and a sentence, which could quote a ticket, does not."""

Authorize = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Listing(Protocol):
    """What is asked for, where its answer has the list, and the parameters of every call."""

    @property
    def path(self) -> str:
        """The path, with `{id}` in a list that belongs to a ticket."""

    @property
    def items(self) -> str:
        """The pointer to the list."""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters."""


class PageOf(NamedTuple):
    """Rows of a list, where they stand, what follows (`None`: nothing), and the desk's time."""

    rows: list[Any]
    place: str
    following: str | None
    desk_time: datetime | None


class RestClient:
    """Calls to one desk, as JSON in and out; threads may share it."""

    def __init__(self, options: RestDesk, key: Secret, clock: Clock) -> None:
        self._options = options
        self._pages = options.pages
        self.page_size = options.pages.size
        self._session = DeskSession(
            options.url, clock, error_code=error_code, tickets=_ticket_paths(options)
        )
        self._session.auth = authorization(options.auth, options.account, key)
        self._session.headers["Accept"] = "application/json"

    @property
    def session(self) -> DeskSession:
        """Give what all calls go through."""
        return self._session

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def identity(self) -> Any:
        """Ask who we are."""
        return _json(self._session.get(self._url(self._options.identity.path)))

    def ticket(self, ticket_id: str) -> tuple[Any, str]:
        """Read a ticket, and the mark (`ETag`) of this state, if the desk gives any.

        Raises `Gone`, also when the answer holds nothing or another ticket, as after a merge.
        """
        told = self._options.ticket
        response = self._session.get(self._url(told.path, ticket_id))
        item = follow(_json(response), told.item)
        if item is None:
            raise Gone(f"ticket {ticket_id}: the desk shows none")
        if not isinstance(item, Mapping) or follow(item, told.id) is ABSENT:
            raise Rejected(
                f"ticket {ticket_id}: the answer is no ticket; correct desk.ticket.item or .id"
            )
        if text_of(follow(item, told.id)) != ticket_id:
            raise Gone(f"ticket {ticket_id}: the desk answers with another one")
        return item, response.headers.get("ETag", "")

    def update(self, ticket_id: str, body: Mapping[str, Any], tag: str) -> None:
        """Send a change; with a tag, only if the ticket still carries it. No answer is believed."""
        told = self._options.write
        url = self._url(told.path or self._options.ticket.path, ticket_id)
        headers = {"If-Match": tag} if tag else {}
        self._session.request(told.method, url, json=body, headers=headers)

    def rows(self, listed: Listing, ticket_id: str = "") -> Iterator[Any]:
        """Read a list to its end; one that knows no pages and says the same again is at its end."""
        place, before = self.first, None
        for _ in range(MOST_PAGES):
            page = self.page(listed, {}, place, ticket_id)
            if page.rows == before:
                return
            yield from page.rows
            if page.following is None:
                return
            place, before = page.following, page.rows
        raise _endless(listed)

    def walk(
        self, listed: Listing, query: Mapping[str, str], place: str | None = None
    ) -> Iterator[PageOf]:
        """Give the pages of a list, from a place on or all; raises `Rejected` when they repeat."""
        place, before = self.first if place is None else place, None
        for _ in range(MOST_PAGES):
            page = self.page(listed, query, place)
            require_other(page.rows, before)
            yield page
            if page.following is None:
                return
            place, before = page.following, page.rows
        raise _endless(listed)

    @property
    def first(self) -> str:
        """Give the place of a list's first page."""
        return {"number": str(self._pages.first), "offset": "0"}.get(self._pages.by, "")

    def page(
        self, listed: Listing, query: Mapping[str, str], place: str, ticket_id: str = ""
    ) -> PageOf:
        """Read one page of a list; `place` is where the page before said that it goes on."""
        url, asked = self._url(listed.path, ticket_id), {**listed.query, **query}
        if self._pages.size_parameter is not None:
            asked[self._pages.size_parameter] = str(self.page_size)
        if self._pages.by in {"next", "link"} and place:
            url, asked = self._followed(place), {}
        elif self._pages.parameter is not None and place:
            asked[self._pages.parameter] = place
        response = self._session.get(url, params=asked)
        answer = _json(response)
        rows = follow(answer, listed.items)
        if not isinstance(rows, list):
            raise Rejected(
                f"GET {listed.path}: there is no list at {listed.items!r} of the answer; correct "
                "`items`, or look at what the desk says there"
            )
        following = _following(self._pages, place, len(rows), self.page_size)
        if self._pages.by in {"next", "cursor"}:
            following = text_of(follow(answer, self._pages.pointer or "")) or None
        elif self._pages.by == "link":
            following = response.links.get("next", {}).get("url")
        if following and self._pages.by in {"next", "link"}:
            following = urljoin(response.url, following)
        return PageOf(rows, place, following, _date(response.headers.get("Date", "")))

    def _followed(self, address: str) -> str:
        """Let an address from an answer pass if it leads to the desk itself."""
        try:
            leads_home = Origin.of(address) == self._session.origin
        except ValueError:
            leads_home = False
        if not leads_home:
            raise Rejected(
                "the desk's next page is at another scheme, host or port than desk.url, and is not "
                "asked for; page by number, offset or cursor instead"
            )
        return address

    def _url(self, path: str, ticket_id: str = "") -> str:
        return self._options.url + path.replace("{id}", quote(ticket_id, safe=""))


def require_other(rows: list[Any], before: list[Any] | None) -> None:
    """Raise `Rejected` when a page is the one before it once more: the desk knows no pages so."""
    if rows and rows == before:
        raise Rejected(
            "the desk gives the same page of tickets again: it does not go on by desk.pages; "
            "correct `by`, `parameter` or `pointer` there"
        )


def _endless(listed: Listing) -> Rejected:
    return Rejected(f"{listed.path}: no end after {MOST_PAGES} pages; correct desk.pages")


def _following(pages: PagesOptions, place: str, rows: int, size: int) -> str | None:
    """Count on to the next page or row."""
    if pages.by not in {"number", "offset"} or rows == 0 or (pages.end == "short" and rows < size):
        return None
    return str(int(place) + (1 if pages.by == "number" else rows))


def _ticket_paths(options: RestDesk) -> str:
    """Match the paths on which "not found" means that the ticket is gone."""
    messages = options.messages.path if options.messages else None
    paths = (options.ticket.path, options.write.path, messages)
    base = urlsplit(options.url).path
    patterns = (
        re.escape(base + path).replace(r"\{id\}", "[^/]+") for path in paths if path is not None
    )
    return rf"^(?:{'|'.join(patterns)})$"


def _json(response: requests.Response) -> Any:
    """Give what the answer says; raises `Retry` on what is no JSON, such as a login page."""
    try:
        return response.json()
    except ValueError:
        raise Retry(f"{response.request.method} {_path(response)}: the answer is no JSON") from None


def _path(response: requests.Response) -> str:
    return (response.request.path_url or "").partition("?")[0]


def text_of(value: object) -> str:
    """Give an id as text: the same one comes as a number here and as a text there."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _date(told: str) -> datetime | None:
    try:
        return parsedate_to_datetime(told).astimezone(UTC)
    except ValueError:
        return None


def error_code(body: object) -> str:
    """Give the code of a refusal where the answer has one in a usual place."""
    outer = body if isinstance(body, Mapping) else {}
    inner = outer.get("error")
    told = inner if isinstance(inner, Mapping) else {"code": inner}
    for found in (outer.get("code"), told.get("code"), told.get("type")):
        if _CODE.fullmatch(str(found)):
            return str(found)
    return ""


def authorization(auth: AuthOptions, account: str, key: Secret) -> Authorize:
    """Give what signs a call; set on each one, since a netrc file would replace a session's own."""
    secret = key.reveal().encode()
    if auth.kind == "header":
        return _header(auth.header, secret)
    if auth.kind == "bearer":
        return _header("Authorization", auth.prefix.encode() + secret)
    pair = account.encode() + b":" + secret if auth.key_as == "password" else secret + b":X"
    return _header("Authorization", b"Basic " + base64.b64encode(pair))


def _header(name: str, value: bytes) -> Authorize:
    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[name] = value  # type: ignore[assignment] # bytes go as they are
        return request

    return authorize
