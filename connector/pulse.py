"""Signs of life of the daemon's loops: one beats only when it has really gone on."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread, get_ident, get_native_id

from connector.ports import Clock

LONGEST_NAME = 15
"""Characters of a thread's name that the kernel keeps."""


@dataclass(slots=True)
class Pulse:
    """One loop's last sign of life, in the seconds of its `Pulses`; old after `patience`."""

    name: str
    patience: float
    tick: Callable[[], float]
    last: float = 0.0

    def beat(self) -> None:
        """Note that the loop has gone on."""
        self.last = self.tick()


class Pulses:
    """The pulses of all loops that run now."""

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._lock = Lock()
        self._pulses: dict[int, Pulse] = {}
        self._threads: dict[int, Pulse] = {}

    def add(self, name: str, patience: float) -> Pulse:
        """Watch a loop whose pulse is beaten by whoever holds it."""
        pulse = Pulse(name, patience, self._tick, self._tick())
        with self._lock:
            self._pulses[id(pulse)] = pulse
        return pulse

    @contextmanager
    def running(self, name: str, patience: float) -> Iterator[None]:
        """Watch the loop that the calling thread runs, until it ends."""
        name_thread(name)
        pulse = self.add(name, patience)
        me = get_ident()
        self._threads[me] = pulse
        try:
            yield
        finally:
            name_thread("idle")  # it may be a pool's, and run another loop next
            del self._threads[me]
            with self._lock:
                del self._pulses[id(pulse)]

    def beat(self) -> None:
        """Note that the calling thread's loop has gone on; of any other thread nothing is noted."""
        if pulse := self._threads.get(get_ident()):
            pulse.beat()

    def stuck(self) -> Mapping[str, float]:
        """Give the loops that have not gone on for longer than they may, and for how long."""
        now = self._tick()
        with self._lock:
            silent = {pulse.name: (now - pulse.last, pulse) for pulse in self._pulses.values()}
        return {name: gone for name, (gone, pulse) in silent.items() if gone > pulse.patience}


class BeatingClock:
    """A clock of which each look is a sign of life of the thread that looks.

    Adapters look before and after each call to their desk, which may be many for one of ours.
    """

    def __init__(self, clock: Clock, pulses: Pulses) -> None:
        self._clock = clock
        self._pulses = pulses

    def now(self) -> datetime:
        """Give the time of day, aware, UTC."""
        self._pulses.beat()
        return self._clock.now()

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""
        self._pulses.beat()
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, or return sooner when the daemon is stopping."""
        self._pulses.beat()
        self._clock.sleep(seconds)


class Prober:
    """A thread that does something over and over, and beats whenever it came back from it."""

    def __init__(self, act: Callable[[], None], pulses: Pulses, *, name: str, every: float) -> None:
        self._act = act
        self._pulses = pulses
        self._name = name
        self._every = every
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self, patience: float) -> None:
        """Begin; the loop counts as stuck when `act` takes longer than `patience` seconds."""
        self._patience = patience
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End, waiting at most `timeout` seconds for an act that is under way."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        with self._pulses.running(self._name, self._patience):
            while not self._stopping.wait(self._every):
                self._act()
                self._pulses.beat()


def name_thread(name: str) -> None:
    """Have the calling thread go by a name in `top`, `ps` and debuggers."""
    with suppress(OSError):  # where /proc is closed, nobody looks there either
        Path(f"/proc/self/task/{get_native_id()}/comm").write_text(name[:LONGEST_NAME], "utf-8")
