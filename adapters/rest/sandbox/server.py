"""The practice desk's API: two dialects side by side, and a limit on calls that both share."""

from collections.abc import Mapping
from http import HTTPStatus

from adapters.practice.exchange import Refusal, Reply, Request
from adapters.practice.window import MINUTE, Window
from adapters.rest.sandbox import modern
from adapters.rest.sandbox.modern import ModernApi
from adapters.rest.sandbox.plain import PlainApi
from adapters.rest.sandbox.state import DeskState
from connector.model import Secret


class RestApi:
    """Answers in the dialect of the path."""

    def __init__(self, state: DeskState, key: Secret) -> None:
        self._modern = ModernApi(state, key)
        self._plain = PlainApi(state, key)
        self._window = Window(state.now, MINUTE)

    def answer(self, request: Request) -> Reply:
        """Answer a call; raises `Refusal`."""
        plain = request.path.startswith("/plain/")
        return (self._plain if plain else self._modern).answer(request)

    def empty_page(self, request: Request) -> Reply:
        """Answer a list with no row and the news that there are more."""
        more = f"{request.base}{request.path}?offset=0"
        body = {"tickets": [], "meta": {"next": more, "cursor": "0"}}
        return Reply(body=body, headers={"Link": f'<{more}>; rel="next"'})

    def limits(self, granted: int) -> Mapping[str, str]:
        """Count a call; refuses it over the limit that the settings name."""
        self._window.hold(granted)
        return {}

    def refusal(self, status: HTTPStatus, why: str) -> Refusal:
        """Refuse a call that makes no sense."""
        del why
        return modern.refusal(status, "senseless_call")
