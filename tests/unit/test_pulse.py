from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from connector.pulse import BeatingClock, Prober, Pulses, name_thread

PATIENCE = 20.0


class Time:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pulses(time) -> Pulses:
    return Pulses(time)


def test_a_loop_is_stuck_when_it_is_silent_for_longer_than_it_may_be(pulses, time) -> None:
    slow, fast = pulses.add("slow", 60), pulses.add("fast", 5)
    time.now = 5
    assert pulses.stuck() == {}
    time.now = 6
    assert pulses.stuck() == {"fast": 6}
    fast.beat()
    assert pulses.stuck() == {}
    time.now = 61
    assert pulses.stuck() == {"slow": 61, "fast": 55}
    slow.beat()
    assert pulses.stuck() == {"fast": 55}


def test_a_thread_beats_for_its_own_loop_and_for_no_other(pulses, time) -> None:
    pulses.add("other", 5)
    with pulses.running("mine", 5):
        time.now = 9
        pulses.beat()
        assert pulses.stuck() == {"other": 9}


def test_who_runs_no_loop_beats_for_none(pulses, time) -> None:
    pulses.add("other", 5)
    time.now = 9
    pulses.beat()
    assert pulses.stuck() == {"other": 9}


def test_a_loop_that_has_ended_is_not_stuck_however_it_ended(pulses, time) -> None:
    with pytest.raises(ZeroDivisionError), pulses.running("mine", 5):
        raise ZeroDivisionError
    time.now = 9
    assert pulses.stuck() == {}


@pytest.mark.parametrize("look", ["now", "monotonic", "sleep"])
def test_each_look_at_the_clock_is_a_sign_of_life(pulses, time, clock, look) -> None:
    beating = BeatingClock(clock, pulses)
    with pulses.running("mine", 5):
        time.now = 9
        assert pulses.stuck() == {"mine": 9}
        given = (3,) if look == "sleep" else ()
        assert getattr(beating, look)(*given) == getattr(clock, look)(*given)
        assert pulses.stuck() == {}


class Door:
    """Something to do that does not come back while it is closed."""

    def __init__(self) -> None:
        self.open, self.tried = Event(), Event()

    def __call__(self) -> None:
        self.tried.set()
        assert self.open.wait(PATIENCE)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.open.set()


def test_a_prober_beats_only_when_it_came_back(pulses, time, door) -> None:
    prober = Prober(door, pulses, name="store", every=0.001)
    prober.start(5)
    assert door.tried.wait(PATIENCE)
    time.now = 9
    assert pulses.stuck() == {"store": 9}
    door.open.set()
    door.tried.clear()
    assert door.tried.wait(PATIENCE)
    prober.stop(PATIENCE)
    assert pulses.stuck() == {}


def test_a_thread_goes_by_its_loops_name() -> None:
    names: list[str] = []

    def look() -> None:
        name_thread("a name that is too long")
        names.extend(each.read_text() for each in Path("/proc/self/task").glob("*/comm"))

    thread = Thread(target=look)
    thread.start()
    thread.join()
    assert "a name that is \n" in names
