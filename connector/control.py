"""The control socket: an administrator's commands reach the process that owns the state."""

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from typing import Any

import structlog

from connector.errors import StateUnusable, TriagedError
from connector.model import Aspect, Mode, TenantId, TicketId, TicketRef
from connector.store import Entry, Erased, Filter, Queue, Row, Sorted, Store, packed, unpacked

SOCKET = "control.sock"
"""In the state directory, for its owner only."""

UNDO = "undo"
"""The action of a request that notes an undo; the others are those of a queue."""

FORGET = "forget"
"""That of a request that deletes what is kept about tickets."""

LADDER = "ladder"
"""That of a request that puts a class at a level."""

BACKFILL = "backfill"
"""That of a request that takes tickets of the past in."""

RELEASE = "release"
"""That of a request that lets a tenant go on whose brake was pulled."""

LONGEST = 1 << 20
"""Bytes of a request: a filter is a few hundred, an undo of one ticket some thousands."""

PATIENCE = 60.0
"""Seconds to wait for the daemon's answer: it may be writing something else just then."""

_log = structlog.get_logger()


def act(queue: Queue, action: str, which: Filter) -> Sequence[Row]:
    """Carry a command out on a queue that this process owns."""
    actions: Mapping[str, Callable[[Filter], Sequence[Row]]] = {
        "retry": queue.retry,
        "drop": queue.drop,
    }
    return actions[action](which)


def ask(directory: Path, action: str, which: Filter) -> Sequence[Row] | None:
    """Have the daemon carry a command out; `None` when no daemon listens there.

    Raises `StateUnusable` with the daemon's own words when it could not.
    """
    answer = _exchange(directory, {"action": action, "filter": asdict(which)})
    return None if answer is None else tuple(Row(**row) for row in answer["rows"])


def note_undo(
    directory: Path, tenant: TenantId, entry: Entry, restored: frozenset[str] | None = None
) -> bool:
    """Have the daemon note that an undo begins, or how it ended; tell whether a daemon listens.

    Raises `StateUnusable` as `ask` does.
    """
    ended = None if restored is None else sorted(restored)
    request = {"action": UNDO, "tenant": tenant, "entry": packed(entry), "restored": ended}
    return _exchange(directory, request) is not None


def forget(
    directory: Path, tenant: TenantId, tickets: Sequence[TicketId], *, is_last: bool
) -> Erased | None:
    """Have the daemon delete what it keeps about tickets; `None` when no daemon listens.

    With the last ones, their traces in its files go too. Raises `StateUnusable` as `ask` does.
    """
    request = {"action": FORGET, "tenant": tenant, "tickets": list(tickets), "last": is_last}
    answer = _exchange(directory, request)
    if answer is None:
        return None
    in_hand = tuple(map(TicketId, answer["in_hand"]))
    return Erased(rows=answer["rows"], in_hand=in_hand)


def take_in(directory: Path, tenant: TenantId, refs: Sequence[TicketRef]) -> Sorted | None:
    """Have the daemon take tickets of the past in; `None` when no daemon listens.

    Raises `StateUnusable` as `ask` does.
    """
    tickets = [[ref.id, ref.version] for ref in refs]
    answer = _exchange(directory, {"action": BACKFILL, "tenant": tenant, "tickets": tickets})
    return None if answer is None else Sorted(**answer)


def put_level(directory: Path, tenant: TenantId, aspect: Aspect, label: str, mode: Mode) -> bool:
    """Have the daemon put a class at a level; tell whether a daemon listens.

    Raises `StateUnusable` as `ask` does.
    """
    told = {"tenant": tenant, "aspect": aspect, "label": label, "mode": mode}
    return _exchange(directory, {"action": LADDER, **told}) is not None


def raised_by_hand(store: Store, tenant: TenantId, aspect: Aspect, label: str, mode: Mode) -> None:
    """Put a class at a level of a store that this process owns; its evidence begins anew."""
    store.levels.put(tenant, aspect, label, mode, "raised by hand")
    _log.info("class_raised", tenant=tenant, aspect=aspect, label=label, mode=mode)


def release_brake(directory: Path, tenant: TenantId) -> bool | None:
    """Have the daemon release a tenant's brake; tell whether it was pulled.

    `None` when no daemon listens there. Raises `StateUnusable` as `ask` does.
    """
    answer = _exchange(directory, {"action": RELEASE, "tenant": tenant})
    return None if answer is None else bool(answer["released"])


def released_by_hand(store: Store, tenant: TenantId) -> bool:
    """Release a brake in a store that this process owns; tell whether it was pulled."""
    is_released = store.brakes.release(tenant)
    if is_released:
        _log.info("brake_released", tenant=tenant)
    return is_released


def _exchange(directory: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Send the daemon a line and read its answer; `None` when no daemon listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            line.connect(str(directory / SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise StateUnusable(f"{directory / SOCKET}: {error.strerror or error}") from error
        try:
            line.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(line.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise StateUnusable(f"{directory / SOCKET}: the daemon gave no answer") from error
    if "error" in answer:
        raise StateUnusable(answer["error"])
    return answer


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    answer: Callable[[bytes], dict[str, Any]]


class _Line(StreamRequestHandler):
    timeout = 5.0

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)  # noqa: S101 - for the type checker
        answer = server.answer(self.rfile.readline(LONGEST))
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class ControlSocket:
    """Serves commands in the state directory until `stop`."""

    def __init__(self, directory: Path, store: Store, wake: Callable[[], None]) -> None:
        self._path = directory / SOCKET
        self._store = store
        self._wake = wake
        self._server: _Server | None = None

    def start(self) -> None:
        """Begin to listen; where no socket can be made, the daemon goes on without one."""
        self._path.unlink(missing_ok=True)  # of a daemon that was killed: the state is ours
        try:
            server = _Server(str(self._path), _Line, bind_and_activate=False)
            server.server_bind()
            self._path.chmod(0o600)  # before anybody can connect
            server.server_activate()
        except OSError as error:
            _log.warning("control_unavailable", error=str(error))
            return
        server.answer = self._answer
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._path.unlink(missing_ok=True)

    def _answer(self, request: bytes) -> dict[str, Any]:
        try:
            told = json.loads(request)
            if told["action"] == UNDO:
                return self._note_undo(told)
            if told["action"] == FORGET:
                return self._forget(told)
            if told["action"] == BACKFILL:
                return self._take_in(told)
            if told["action"] == LADDER:
                return self._put_level(told)
            if told["action"] == RELEASE:
                released = released_by_hand(self._store, TenantId(str(told["tenant"])))
                return {"released": released}
            which = Filter(**{**told["filter"], "states": tuple(told["filter"]["states"])})
            done = act(self._store.queue, told["action"], which)
        except (ValueError, KeyError, TypeError):
            return {"error": "the daemon is of another version and does not know this command"}
        except TriagedError as error:
            return {"error": error.detail}
        _log.info("queue_changed", action=told["action"], rows=len(done))
        self._wake()
        return {"rows": [asdict(row) for row in done]}

    def _note_undo(self, told: Mapping[str, Any]) -> dict[str, Any]:
        tenant, entry = TenantId(str(told["tenant"])), unpacked(told["entry"])
        if told["restored"] is None:
            self._store.undoings.begin(tenant, entry)
        else:
            self._store.undoings.end(tenant, entry, frozenset(map(str, told["restored"])))
            _log.info("ticket_undone", tenant=tenant, ticket=entry.ticket, slots=told["restored"])
        return {}

    def _forget(self, told: Mapping[str, Any]) -> dict[str, Any]:
        tenant, tickets = TenantId(str(told["tenant"])), [*map(TicketId, map(str, told["tickets"]))]
        erased = self._store.erasure.forget(tenant, tickets)
        if told["last"]:
            self._store.erasure.scrub()
        _log.info("tickets_forgotten", tenant=tenant, tickets=len(tickets) - len(erased.in_hand))
        return {"rows": dict(erased.rows), "in_hand": list(erased.in_hand)}

    def _take_in(self, told: Mapping[str, Any]) -> dict[str, Any]:
        refs = [
            TicketRef(id=TicketId(str(ticket)), version=str(version))
            for ticket, version in told["tickets"]
        ]
        taken = self._store.backlog.take_in(TenantId(str(told["tenant"])), refs)
        if taken.new:
            _log.info("backlog_taken_in", tenant=told["tenant"], tickets=taken.new)
            self._wake()
        return asdict(taken)

    def _put_level(self, told: Mapping[str, Any]) -> dict[str, Any]:
        aspect, mode = Aspect(told["aspect"]), Mode(told["mode"])
        raised_by_hand(self._store, TenantId(str(told["tenant"])), aspect, str(told["label"]), mode)
        return {}
