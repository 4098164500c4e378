"""The Table API's part of the practice desk: its calls, behind the door."""

from collections.abc import Mapping
from http import HTTPStatus

from adapters.practice.server import dispatch, route
from adapters.servicenow.sandbox.door import Door
from adapters.servicenow.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.servicenow.sandbox.state import DeskState
from adapters.servicenow.sandbox.tables import TableCalls

_TABLE = r"/api/now/(v1/|v2/|)table/([a-z0-9_]+)"
_ROW = rf"{_TABLE}/([0-9a-z]+)"


class ServiceNowApi:
    """Answers whom the door lets in."""

    def __init__(self, state: DeskState, door: Door) -> None:
        self._door = door
        self._tables = tables = TableCalls(state)
        self._routes = (
            route("GET", _TABLE, tables.list),
            route("POST", _TABLE, tables.create),
            route("GET", _ROW, tables.read),
            route("PATCH PUT", _ROW, tables.update),
            route("DELETE", _ROW, tables.delete),
        )

    def answer(self, request: Request) -> Reply:
        """Answer a call; raises `Refusal`."""
        if request.path == "/oauth_token.do":
            return self._door.token(request)
        self._tables.user = self._door.user(request)
        reply = dispatch(self._routes, request)
        if reply is None:
            told = "Requested URI does not represent any resource"
            raise refusal(HTTPStatus.BAD_REQUEST, told, request.path)
        return reply

    def empty_page(self, request: Request) -> Reply:
        """Answer a list with no row and the news that there are more."""
        return self._tables.empty_page(request)

    def limits(self, granted: int) -> Mapping[str, str]:
        """Count a call; without a rule, which 0 stands for, an instance tells nothing."""
        return self._door.limits(granted)

    def refusal(self, status: HTTPStatus, why: str) -> Refusal:
        """Refuse a call that makes no sense."""
        return refusal(status, status.phrase, why)
