"""The daemon's parts without its threads: a test turns them by hand."""

from threading import Event
from types import MappingProxyType

from adapters.memory import FIELDS
from connector.decide import Rule
from connector.desk import Desk
from connector.metrics import Metrics
from connector.model import Agent, Aspect, Group, Mode, Staff, TenantId
from connector.poll import Poller
from connector.ports import Clock
from connector.roster import Roster
from connector.store import Store
from connector.worker import Bell, Worker

ACME = TenantId("acme")
TWO_GROUPS = Staff(
    groups=(Group(id="g1", name="Network"), Group(id="g2", name="Workplace")),
    agents=(
        Agent(id="a1", name="Ana Ruiz", groups=("g1",)),
        Agent(id="a2", name="Ben Ode", groups=("g2",)),
    ),
)
_BY_ID = {field.id: field for field in FIELDS}


def rule(aspect: Aspect, field: str, mode: Mode = Mode.AUTO) -> Rule:
    return Rule(aspect=aspect, field=_BY_ID[field], mode=mode, values=MappingProxyType({}))


def changed(desk: Desk, **changes: object) -> Desk:
    return Desk(**{name: getattr(desk, name) for name in Desk.__slots__} | changes)


class HandDaemon:
    """Worker and poller of one tenant."""

    def __init__(self, store: Store, desk: Desk, clock: Clock) -> None:
        self.roster = Roster([desk.tenant], clock)
        self.roster.admit(desk)
        self.worker = Worker(
            store=store, roster=self.roster, clock=clock, bell=Bell(), metrics=Metrics()
        )
        self.poller = Poller(
            store=store,
            roster=self.roster,
            metrics=Metrics(),
            stopping=Event(),
            wake=lambda: None,
        )

    def round(self) -> None:
        self.poller.look(ACME)
        while self.worker.turn():
            pass
