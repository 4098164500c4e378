"""Which tenants are served, each with its settings, its secrets and the adapter made of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

from connector.model import Secret, TenantId
from connector.ports import Adapter, Surroundings
from connector.roster import Roster
from connector.settings import TenantSettings

MakeAdapter: TypeAlias = Callable[[TenantSettings, Surroundings], Adapter]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Occupant:
    """A tenant as it is served: what it is made of, and its adapter."""

    settings: TenantSettings
    secrets: Mapping[str, Secret]
    adapter: Adapter
    resources: ExitStack


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a reading of the configuration changes; `again` are the same and were stopped."""

    added: tuple[TenantId, ...] = ()
    changed: tuple[TenantId, ...] = ()
    removed: tuple[TenantId, ...] = ()
    again: tuple[TenantId, ...] = ()

    @property
    def fresh(self) -> tuple[TenantId, ...]:
        """Give the tenants that are to be connected."""
        return (*self.added, *self.changed, *self.again)


class Tenancy:
    """The tenants of a daemon. The roster follows: what changed is connected anew, and no other.

    A tenant changed when its settings did, or the value of one of its secrets. One that waits for a
    person is tried again, too.
    """

    def __init__(self, roster: Roster, make: MakeAdapter, surroundings: Surroundings) -> None:
        self._roster = roster
        self._make = make
        self._surroundings = surroundings
        self._lock = Lock()
        self._occupants: dict[TenantId, Occupant] = {}

    @property
    def adapters(self) -> Mapping[TenantId, Adapter]:
        """Give each tenant's adapter."""
        return {name: one.adapter for name, one in self._occupants.items()}

    def occupant(self, tenant: TenantId) -> Occupant | None:
        """Give a tenant as it is served now; `None` when it is not any more."""
        return self._occupants.get(tenant)

    @contextmanager
    def held(self, occupant: Occupant) -> Iterator[bool]:
        """Tell whether a tenant is still served so, and keep it that way for the moment."""
        with self._lock:
            yield self._occupants.get(occupant.settings.id) is occupant

    def serve(self, tenants: Sequence[TenantSettings]) -> Changes:
        """Serve these tenants from now on; raises `SecretMissing` before anything is changed."""
        made = self._made(tenants)
        names = {tenant.id for tenant in tenants}
        gone = [name for name in self._occupants if name not in names]
        changes = self._compared(made, gone)
        with self._lock:
            left = [self._occupants.pop(name) for name in (*gone, *changes.changed, *changes.again)]
            self._occupants.update(made)
            for name in gone:
                self._roster.remove(name)
            for name in made:
                self._roster.renew(name)
        for occupant in left:
            occupant.resources.close()
        return changes

    def close(self) -> None:
        """Let go of every adapter's connections."""
        for occupant in self._occupants.values():
            occupant.resources.close()

    def _made(self, tenants: Sequence[TenantSettings]) -> dict[TenantId, Occupant]:
        """Make what is new of these tenants."""
        stopped = self._roster.stopped()
        with ExitStack() as undo:
            made: dict[TenantId, Occupant] = {}
            for tenant in tenants:
                now = self._occupants.get(tenant.id)
                if now is None or tenant.id in stopped or self._differs(tenant, now):
                    made[tenant.id] = self._move_in(tenant)
                    undo.enter_context(made[tenant.id].resources)
            undo.pop_all()
        return made

    def _move_in(self, tenant: TenantSettings) -> Occupant:
        secrets: dict[str, Secret] = {}

        def seen(name: str) -> Secret:
            secrets[name] = self._surroundings.secret(name)
            return secrets[name]

        surroundings = Surroundings(secret=seen, clock=self._surroundings.clock)
        with ExitStack() as resources:
            adapter = resources.enter_context(self._make(tenant, surroundings))
            return Occupant(
                settings=tenant, secrets=secrets, adapter=adapter, resources=resources.pop_all()
            )

    def _differs(self, tenant: TenantSettings, now: Occupant) -> bool:
        if tenant != now.settings:
            return True
        return any(self._surroundings.secret(name) != was for name, was in now.secrets.items())

    def _compared(self, made: Mapping[TenantId, Occupant], gone: Sequence[TenantId]) -> Changes:
        before = {name: self._occupants.get(name) for name in made}
        added = tuple(name for name, was in before.items() if was is None)
        again = tuple(name for name, was in before.items() if was and _is_like(was, made[name]))
        changed = tuple(name for name in made if name not in {*added, *again})
        return Changes(added=added, changed=changed, removed=tuple(gone), again=again)


def _is_like(one: Occupant, other: Occupant) -> bool:
    return (one.settings, one.secrets) == (other.settings, other.secrets)
