"""Zendesk's part of the practice desk: credential, rate limit, and the table of calls."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus

from adapters.practice.server import dispatch, route
from adapters.practice.window import MINUTE, Window
from adapters.zendesk.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.zendesk.sandbox.hooks import Webhooks
from adapters.zendesk.sandbox.reading import ReadingCalls
from adapters.zendesk.sandbox.state import ACCOUNT, DeskState
from adapters.zendesk.sandbox.writing import WritingCalls
from connector.model import Secret

SHOWN_LIMIT = 700
"""Calls per minute that the headers tell of while no limit is set: the Enterprise plan's."""


class ZendeskApi:
    """Answers whoever has the token."""

    def __init__(self, state: DeskState, hooks: Webhooks, token: Secret) -> None:
        self.reading = reading = ReadingCalls(state)
        writing = WritingCalls(state, hooks, reading)
        self._credential = f"{ACCOUNT}/token:{token.reveal()}".encode()
        self._window = Window(state.now, MINUTE)
        v2 = r"/api/v2"
        self._routes = (
            route("GET", rf"{v2}/users/me(\.json)?", lambda r, *_: reading.me(r)),
            route("GET", rf"{v2}/ticket_fields\.json", reading.fields),
            route("GET", rf"{v2}/ticket_fields/{{id}}\.json", reading.field),
            route("PUT", rf"{v2}/ticket_fields/{{id}}\.json", writing.change_field),
            route("GET", rf"{v2}/groups\.json", reading.groups),
            route("GET", rf"{v2}/group_memberships\.json", reading.memberships),
            route("GET", rf"{v2}/users/{{id}}/group_memberships\.json", reading.memberships_of),
            route("GET", rf"{v2}/users\.json", reading.users),
            route("GET", rf"{v2}/triggers/active\.json", reading.triggers),
            route("GET", rf"{v2}/automations/active\.json", reading.automations),
            route("GET", rf"{v2}/tickets/show_many\.json", reading.show_many),
            route("GET", rf"{v2}/tickets/{{id}}\.json", reading.ticket),
            route("GET", rf"{v2}/tickets/{{id}}/comments\.json", reading.comments),
            route("GET", rf"{v2}/incremental/tickets/cursor\.json", reading.export),
            route("PUT", rf"{v2}/tickets/update_many\.json", writing.update_many),
            route("POST", rf"{v2}/tickets\.json", writing.create),
            route("PUT", rf"{v2}/tickets/{{id}}\.json", writing.update),
            route("DELETE", rf"{v2}/tickets/{{id}}\.json", writing.delete),
            route("PUT POST DELETE", rf"{v2}/tickets/{{id}}/tags\.json", writing.change_tags),
            route("GET", rf"{v2}/job_statuses/{{key}}\.json", writing.job),
            route("GET", rf"{v2}/webhooks", writing.webhooks),
            route("POST", rf"{v2}/webhooks", writing.create_webhook),
            route("GET", rf"{v2}/webhooks/{{key}}/invocations", writing.invocations),
            route("GET", rf"{v2}/webhooks/{{key}}/signing_secret", writing.signing_secret),
            route("POST", rf"{v2}/webhooks/test", writing.test_webhook),
        )

    def answer(self, request: Request) -> Reply:
        """Answer a call; raises `Refusal`."""
        if not hmac.compare_digest(request.basic.encode(), self._credential):
            raise refusal(HTTPStatus.UNAUTHORIZED, "Couldn't authenticate you")
        reply = dispatch(self._routes, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND, "InvalidEndpoint", "Not found")
        return reply

    def empty_page(self, request: Request) -> Reply:
        """Answer the export with no ticket and the news that there are more."""
        return self.reading.empty_page(request)

    def limits(self, granted: int) -> Mapping[str, str]:
        """Count the call and give the headers that tell of it; refuses it over the limit."""
        used, limit = self._window.take(), granted or SHOWN_LIMIT
        if granted and used >= limit:
            text = "Number of allowed API requests per minute exceeded"
            wait = {"Retry-After": str(self._window.left)}
            raise Refusal(Reply(status=HTTPStatus.TOO_MANY_REQUESTS, body=text, headers=wait))
        left = max(limit - used - 1, 0 if granted else 1)
        return {
            "X-Rate-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(self._window.left),
        }

    def refusal(self, status: HTTPStatus, why: str) -> Refusal:
        """Refuse a call that makes no sense."""
        return refusal(status, status.phrase, why)
