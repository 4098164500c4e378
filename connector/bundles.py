"""Which loaded bundle answers under which name, and what was promoted to serve meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connector import golden
from connector.errors import BadBundle, NoSuchBundle, NothingToServe, ShelfUnusable, TriagedError
from connector.ports import Engine, ModelKind
from connector.shelf import Promotion, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A promoted bundle that does not serve; `serving` is the one that does instead."""

    bundle: str
    error: str
    serving: str


@dataclass(slots=True, kw_only=True)
class _Served:
    """What serves under a name, and the newest promotion that was looked at, refused or not."""

    engine: Engine
    seen: Promotion
    trouble: str = ""


class Bundles:
    """The bundles of a process by the names that tenants call them; `None` is the default.

    The default is a folder, or the bundle that comes with triaged, and does not change.
    """

    def __init__(
        self, kind: ModelKind, shelf: Shelf, *, default: Path | None, threads: int
    ) -> None:
        self._kind = kind
        self._shelf = shelf
        self._folder = default
        self._threads = threads
        self._default: Engine | None = None
        self._served: dict[str, _Served] = {}

    def open(self, name: str | None) -> Sequence[Refusal]:
        """Load what serves under a name: of its promoted versions the newest that can.

        Gives those that cannot; raises `NothingToServe` when none can, `BadBundle` for the default.
        """
        if name is None:
            folder = str(self._folder) if self._folder else None
            self._default = self._kind.load(folder, self._threads)
            return ()
        promotions = self._shelf.promotions(name)
        wrong: dict[str, str] = {}
        for promotion in reversed(promotions):
            if promotion.version in wrong:
                continue
            try:
                engine = self._loaded(name, promotion.version)
            except BadBundle as error:
                wrong[promotion.version] = error.detail
            else:
                self._served[name] = _Served(engine=engine, seen=promotions[-1])
                return [
                    Refusal(bundle=f"{name}@{version}", error=reason, serving=engine.bundle)
                    for version, reason in wrong.items()
                ]
        reasons = "; ".join(wrong.values()) or f"no version was promoted to {self._shelf.directory}"
        raise NothingToServe(f"{name}: {reasons}")

    def is_open(self, name: str | None) -> bool:
        """Tell whether something serves under a name."""
        return self._default is not None if name is None else name in self._served

    def engine(self, name: str | None) -> Engine:
        """Give what serves under a name that was opened."""
        if name is not None:
            return self._served[name].engine
        if self._default is None:
            raise BadBundle("the default bundle was not opened")
        return self._default

    def look(self) -> Sequence[Refusal]:
        """Load what was promoted or rolled back since the last look; give what was refused.

        Each refusal is given once. What served goes on serving.
        """
        names = tuple(self._served)  # another thread may open one meanwhile
        return [refusal for name in names for refusal in self._looked(name)]

    def _looked(self, name: str) -> Sequence[Refusal]:
        served = self._served[name]
        try:
            newest = self._newest(name)
        except (ShelfUnusable, NoSuchBundle) as error:
            known, served.trouble = served.trouble, error.detail
            return [] if known == error.detail else [_refusal(name, error, served)]
        served.trouble = ""
        if newest == served.seen:
            return []
        served.seen = newest  # first: what fails is not tried again until it is promoted again
        title = f"{name}@{newest.version}"
        if title == served.engine.bundle:
            return []
        try:
            served.engine = self._loaded(name, newest.version)
        except BadBundle as error:
            return [_refusal(title, error, served)]
        return []

    def _newest(self, name: str) -> Promotion:
        promotions = self._shelf.promotions(name)
        if not promotions:
            raise NoSuchBundle(f"{name} is no longer in {self._shelf.directory}")
        return promotions[-1]

    def _loaded(self, name: str, version: str) -> Engine:
        facts = self._shelf.described(name, version)
        engine = self._kind.load(str(self._shelf.folder(name, version)), self._threads)
        golden.replay(engine, facts)
        return engine


def _refusal(bundle: str, error: TriagedError, served: _Served) -> Refusal:
    return Refusal(bundle=bundle, error=str(error), serving=served.engine.bundle)
