"""A bundle on its way to serving: copied, verified, asked, compared, and put in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connector import golden
from connector.errors import BadBundle
from connector.golden import Move
from connector.ports import BundleFacts, ModelKind
from connector.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a promotion ended. `moves` beside `promoted` false: nothing was changed."""

    bundle: str
    promoted: bool
    before: str = ""
    """What served, when anything did."""
    moves: Sequence[Move] = ()
    notices: Sequence[str] = ()
    """What could not be compared, and why."""


def promote(shelf: Shelf, kind: ModelKind, wanted: str, *, accept: bool) -> Outcome:
    """Make a bundle serve: a folder, or `NAME@VERSION` that is on the shelf already.

    With `accept`, answers that move against the bundle that serves do not stop it; its own golden
    tickets always have to be answered as they were. Raises `BadBundle`, `Diverging`,
    `NoSuchBundle`, `VersionTaken`, `ShelfUnusable`; nothing was changed then.
    """
    with shelf.changing():
        if Path(wanted).is_dir():
            place, facts = shelf.copy(Path(wanted))
        else:
            name, version = shelf.find(wanted)
            place, facts = shelf.folder(name, version), shelf.described(name, version)
        outcome = _asked(shelf, kind, place, facts)
        if outcome.moves and not accept:
            return outcome
        if place != shelf.folder(facts.name, facts.version):
            shelf.place(place, facts)
        shelf.promote(facts.name, facts.version, datetime.now(UTC))
        return Outcome(
            bundle=outcome.bundle,
            promoted=True,
            before=outcome.before,
            moves=outcome.moves,
            notices=outcome.notices,
        )


def _asked(shelf: Shelf, kind: ModelKind, place: Path, facts: BundleFacts) -> Outcome:
    """Load a bundle, and ask it its own golden tickets and those of the one that serves."""
    engine = kind.load(str(place), 1)
    notices = [] if facts.golden else [f"{facts.title} has no golden tickets: nothing was replayed"]
    golden.replay(engine, facts)
    serving = shelf.promotions(facts.name)
    if not serving or serving[-1].version == facts.version:
        before = f"{facts.name}@{serving[-1].version}" if serving else ""
        return Outcome(bundle=facts.title, promoted=False, before=before, notices=notices)
    before = f"{facts.name}@{serving[-1].version}"
    try:
        earlier = shelf.described(facts.name, serving[-1].version)
    except BadBundle as error:
        notices.append(f"not compared with {before}: {error.detail}")
        return Outcome(bundle=facts.title, promoted=False, before=before, notices=notices)
    if not earlier.golden:
        notices.append(f"{before} has no golden tickets: no answer was compared with its own")
    return Outcome(
        bundle=facts.title,
        promoted=False,
        before=before,
        moves=golden.compare(engine, facts, earlier),
        notices=notices,
    )
