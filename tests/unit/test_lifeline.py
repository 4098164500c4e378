import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connector.lifeline import Lifeline
from connector.pulse import Pulses


class Time:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Systemd:
    """The other end of the line."""

    def __init__(self, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name)
        self._socket.setblocking(False)  # noqa: FBT003 - as the library has it

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[dict[str, str]]:
        """Give the messages since the last time."""
        messages = []
        while True:
            try:
                message = self._socket.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in message.splitlines()))


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "notify"


@pytest.fixture
def systemd(place) -> Iterator[Systemd]:
    made = Systemd(str(place))
    yield made
    made.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pulses(time) -> Pulses:
    return Pulses(time)


@pytest.fixture
def line(place, pulses, systemd) -> Callable[..., Lifeline]:
    """Give a function that makes our end, with more of the environment."""
    assert systemd.heard() == []
    return lambda **more: Lifeline({"NOTIFY_SOCKET": str(place), **more}, pulses)


def test_each_state_is_told_with_a_status(line, systemd) -> None:
    ours = line()
    ours.ready("serving")
    ours.reloading()
    ours.ready("serving more")
    ours.stopping()
    first, reload, second, end = systemd.heard()
    assert first == {"READY": "1", "STATUS": "serving"}
    assert reload["RELOADING"] == "1"
    assert int(reload["MONOTONIC_USEC"]) > 0
    assert second == {"READY": "1", "STATUS": "serving more"}
    assert end["STOPPING"] == "1"


def test_a_socket_in_no_file_system_is_reached() -> None:
    name = f"triaged-test-{os.getpid()}"
    systemd = Systemd(f"\0{name}")
    Lifeline({"NOTIFY_SOCKET": f"@{name}"}, Pulses()).ready("up")
    assert systemd.heard() == [{"READY": "1", "STATUS": "up"}]
    systemd.close()


def test_a_sign_of_life_is_given_while_every_loop_goes_on(line, systemd, pulses, time) -> None:
    ours = line(WATCHDOG_USEC="1")  # each look is late enough for another sign
    pulse = pulses.add("worker 1", 5)
    ours.look()
    assert systemd.heard() == [{"WATCHDOG": "1"}]
    time.now = 9
    with capture_logs() as logs:
        ours.look()
        ours.look()
    assert systemd.heard() == [{"STATUS": "stuck: worker 1"}]
    [told] = logs
    assert (told["event"], told["loop"], told["seconds"]) == ("loop_stuck", "worker 1", 9)
    pulse.beat()
    with capture_logs() as logs:
        ours.look()
    assert systemd.heard() == [{"STATUS": ""}, {"WATCHDOG": "1"}]
    assert [(log["event"], log["loop"]) for log in logs] == [("loop_moving", "worker 1")]


def test_signs_of_life_are_not_given_at_every_look(line, systemd) -> None:
    ours = line(WATCHDOG_USEC="60000000")
    for _ in range(9):
        ours.look()
    assert systemd.heard() == [{"WATCHDOG": "1"}]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
    ],
)
def test_no_sign_is_given_where_systemd_does_not_look(line, systemd, environment) -> None:
    line(**environment).look()
    assert systemd.heard() == []


def test_without_systemd_only_the_log_is_told(pulses, time) -> None:
    ours = Lifeline({"WATCHDOG_USEC": "1"}, pulses)
    pulses.add("web", 5)
    time.now = 9
    with capture_logs() as logs:
        ours.ready("up")
        ours.look()
    assert [log["event"] for log in logs] == ["loop_stuck"]


def test_a_socket_that_is_gone_is_said_once_and_costs_nothing(line, systemd, place) -> None:
    ours = line(WATCHDOG_USEC="1")
    systemd.close()
    place.unlink()
    with capture_logs() as logs:
        for _ in range(3):
            ours.look()
    assert [log["event"] for log in logs] == ["systemd_unreachable"]
