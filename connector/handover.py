"""Hands connected desks over to the bundles that are promoted while they work."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from connector.bundles import Bundles, Refusal
from connector.desk import Desk, refit
from connector.errors import ConfigError
from connector.model import TenantId
from connector.ports import Engine
from connector.roster import Roster
from connector.settings import TenantSettings

LOOKED_FOR = 2.0
"""Seconds between two looks at what was promoted: each reads a small file per bundle in use."""

_log = structlog.get_logger()


class Handover:
    """Opens the bundles that tenants name, and exchanges them in desks at work.

    It looks at what should serve and what does, not at what happened: a desk that was connected in
    the midst of a change is handed over at the next look.
    """

    def __init__(self, bundles: Bundles, roster: Roster) -> None:
        self._bundles = bundles
        self._roster = roster
        self._tenants: Mapping[TenantId, TenantSettings] = {}
        self._unfit: dict[TenantId, str] = {}

    @property
    def serving(self) -> Sequence[str]:
        """Give the titles of what answers now, each once."""
        names = dict.fromkeys(tenant.bundle for tenant in self._tenants.values())
        return [self._bundles.engine(name).bundle for name in names]

    def open(self, tenants: Iterable[TenantSettings]) -> None:
        """Load what tenants name and is not loaded yet; raises `BadBundle`."""
        names = dict.fromkeys(tenant.bundle for tenant in tenants)
        for name in names:
            if not self._bundles.is_open(name):
                self._tell(self._bundles.open(name))

    def serve(self, tenants: Iterable[TenantSettings]) -> None:
        """Answer for these tenants from now on; what they name was opened."""
        self._tenants = {tenant.id: tenant for tenant in tenants}
        self._unfit = {name: unfit for name, unfit in self._unfit.items() if name in self._tenants}

    def settings(self, tenant: TenantId) -> TenantSettings | None:
        """Give the settings that a tenant is served by, `None` when it is served no more."""
        return self._tenants.get(tenant)

    def engine(self, tenant: TenantSettings) -> Engine:
        """Give what answers for a tenant now."""
        return self._bundles.engine(tenant.bundle)

    def look(self) -> None:
        """Load what was promoted since, and put it into every desk that it is for."""
        self._tell(self._bundles.look())
        for desk in self._roster.desks():
            tenant = self._tenants.get(desk.tenant)
            if tenant is None:  # it was removed just now
                continue
            engine = self.engine(tenant)
            if engine.bundle not in (desk.bundle, self._unfit.get(desk.tenant)):
                self._hand_over(desk, tenant, engine)

    def _hand_over(self, desk: Desk, tenant: TenantSettings, engine: Engine) -> None:
        try:
            other = refit(desk, tenant, engine)
        except ConfigError as error:
            self._unfit[desk.tenant] = engine.bundle
            _log.error(
                "bundle_unfit",
                tenant=desk.tenant,
                bundle=engine.bundle,
                error=str(error),
                serving=desk.bundle,
            )
            return
        self._roster.amend(
            desk.tenant,
            lambda now: replace(now, classifier=other.classifier, bundle=other.bundle),
        )
        self._unfit.pop(desk.tenant, None)
        _log.info("bundle_serving", tenant=desk.tenant, bundle=engine.bundle, before=desk.bundle)

    def _tell(self, refusals: Iterable[Refusal]) -> None:
        for one in refusals:
            _log.error("bundle_refused", bundle=one.bundle, error=one.error, serving=one.serving)
