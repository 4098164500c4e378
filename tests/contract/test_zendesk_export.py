"""Traps of Zendesk's incremental export: what would lose tickets, or send the credential away."""

import base64
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from people import SUBJECT, TEXT, HandClock, walk
from zendesk_people import EXPORT, SandboxPeople

from adapters import zendesk
from connector.errors import Retry
from connector.ports import Surroundings


class TestTrapsOfTheExport:
    def test_tickets_of_one_second_are_not_lost_at_the_border_of_a_page(
        self, sandboxed: SandboxPeople, clock: HandClock
    ) -> None:
        sandboxed.pages_of(4)
        start = walk(sandboxed.adapter.changed_since(None))[-1].cursor
        filed = [sandboxed.arrive(f"{n}", TEXT) for n in range(10)]
        clock.advance(75)
        pages = walk(sandboxed.adapter.changed_since(start))
        refs = [ref for page in pages for ref in page.items]
        assert [len(page.items) for page in pages] == [4, 4, 2]
        assert len({ref.version for ref in refs}) == 1
        assert sorted(ref.id for ref in refs) == sorted(filed)

    def test_an_empty_page_that_is_not_the_last_does_not_stop_the_stream(
        self, sandboxed: SandboxPeople
    ) -> None:
        start = walk(sandboxed.adapter.changed_since(None))[-1].cursor
        ticket_id = sandboxed.arrive(SUBJECT, TEXT)
        sandboxed.settle()
        first = int(sandboxed.clock.now().timestamp()) - 400
        for second in (first, first + 1):
            cursor = base64.b64encode(f"{second}.0||0|".encode()).decode()
            sandboxed.break_next(EXPORT, status=200, body=_empty_page(cursor))
        pages = walk(sandboxed.adapter.changed_since(start))
        assert [len(page.items) for page in pages] == [0, 0, 1]
        assert pages[-1].items[0].id == ticket_id

    def test_an_empty_page_that_leads_nowhere_ends_the_round(
        self, sandboxed: SandboxPeople
    ) -> None:
        start = walk(sandboxed.adapter.changed_since(None))[-1].cursor
        ticket_id = sandboxed.arrive(SUBJECT, TEXT)
        sandboxed.settle()
        sandboxed.break_next(EXPORT, empty_page=True)
        (page,) = walk(sandboxed.adapter.changed_since(start))
        assert (page.items, page.cursor, page.last) == ((), start, True)
        assert walk(sandboxed.adapter.changed_since(start))[-1].items[0].id == ticket_id

    def test_a_foreign_after_url_is_not_followed(self, sandboxed: SandboxPeople) -> None:
        sandboxed.pages_of(1)
        for n in range(3):
            sandboxed.arrive(f"{n}", TEXT)
        sandboxed.clock.sleep(100)
        with _listener() as (foreign, heard):
            sandboxed.sandbox.api.reading.after_origin = foreign
            pages = walk(sandboxed.adapter.changed_since(None))
        assert len([ref for page in pages for ref in page.items]) == 3
        assert heard == []

    def test_the_newest_minute_is_told_later_and_not_lost(
        self, sandboxed: SandboxPeople, clock: HandClock
    ) -> None:
        ticket_id = sandboxed.arrive(SUBJECT, TEXT)
        clock.advance(30)
        pages = walk(sandboxed.adapter.changed_since(None))
        assert pages[-1].items == ()
        clock.advance(45)
        assert walk(sandboxed.adapter.changed_since(pages[-1].cursor))[-1].items[0].id == ticket_id

    def test_a_change_by_the_system_alone_is_told_though_updated_at_is_old(
        self, sandboxed: SandboxPeople, clock: HandClock
    ) -> None:
        ticket_id = sandboxed.arrive(SUBJECT, TEXT)
        sandboxed.settle()
        start = walk(sandboxed.adapter.changed_since(None))[-1].cursor
        clock.advance(500)
        state = sandboxed.sandbox.state
        state.regenerate(state.tickets[int(ticket_id)])
        sandboxed.settle()
        assert walk(sandboxed.adapter.changed_since(start))[-1].items[0].id == ticket_id

    def test_calls_of_the_export_keep_the_pace(
        self, sandboxed: SandboxPeople, clock: HandClock
    ) -> None:
        options = sandboxed.adapter._client._pacer
        assert options._interval == pytest.approx(65 / 60_000)
        paced = zendesk.ZendeskDesk(
            platform="zendesk",
            url=sandboxed.url,
            account="triage@sandbox.example",
            token="secret:token",
        )
        world = Surroundings(secret=lambda _name: sandboxed.token, clock=clock)
        with zendesk.connect(paced, world) as adapter:
            clock.slept.clear()
            for _ in range(3):
                walk(adapter.changed_since(None))
        assert clock.slept == [6.5, 6.5]

    def test_a_page_without_a_cursor_is_tried_again(self, sandboxed: SandboxPeople) -> None:
        sandboxed.break_next(EXPORT, status=200, body={"tickets": [], "end_of_stream": False})
        with pytest.raises(Retry):
            walk(sandboxed.adapter.changed_since(None))


def _empty_page(cursor: str) -> dict[str, Any]:
    return {"tickets": [], "after_cursor": cursor, "after_url": None, "end_of_stream": False}


class _listener:  # noqa: N801 used as a function
    """A second server on this machine that notes what is asked of it."""

    def __enter__(self) -> tuple[str, list[str]]:
        heard: list[str] = []

        class Ear(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.path)
                self.send_error(404)

            def log_message(self, *_args: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}", heard

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
