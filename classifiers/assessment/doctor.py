"""The data doctor: what is wrong with the labels of a history, told by the history alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from classifiers.assessment.findings import SHOWN, Finding, Shown, quoted, stands_for
from classifiers.dial import CONFIDENT
from classifiers.training.history import Row
from connector.model import Aspect

CATCH_ALL = frozenset(
    "other others misc miscellaneous general various unknown undefined none default unclassified"
    " uncategorised uncategorized sonstiges sonstige allgemein verschiedenes unbekannt divers autre"
    " autres général varia otro otros general varios overig overige".split()
)
"""What classes are called that are none; compared word by word."""
FEW = 5
"""Tickets below which a finding would be an anecdote."""
GONE = 0.25
"""The newest share of the history in which a class has to occur to be alive."""
NAMED = 10
"""Classes named in a finding."""
USED = 20
"""Tickets from which on a class that is missing from the newest ones is so by no chance: one of 20
is in 3 of 1,000 cases."""
PURE = 0.95
"""The share of a line's tickets in one class from which on the line gives the class away."""
COMMON = 0.2
"""The share of a class's tickets that have the line."""
DOMINANT = 0.8
"""A class with more of all tickets than this makes every line look as if it gave it away."""
LINE_WORDS = 3
"""Words below which a line is rather a subject than boilerplate."""
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One aspect's tickets, as the doctor looks at them."""

    aspect: Aspect
    rows: Sequence[Row]
    """Every ticket with a label, copies too."""
    clusters: Mapping[str, int]
    """Near-duplicates by text."""
    raw: Counter[str]
    """The label's column as it is written, blanks too."""
    options: Sequence[str]
    """What the desk's field accepts now; nothing where no desk was asked or it takes any."""
    floor: int
    asked: float
    shown: Shown

    @property
    def counts(self) -> Counter[str]:
        """Count the labels."""
        return Counter(row.labels[self.aspect] for row in self.rows)

    def finding(self, kind: str, tickets: int, told: str, remedy: str, **more: object) -> Finding:
        """Make a finding about this aspect."""
        given = {"kind": kind, "aspect": str(self.aspect), "tickets": tickets, "told": told}
        return Finding(**given, remedy=remedy, **more)  # type: ignore[arg-type]


def examine(chart: Chart) -> Iterator[Finding]:
    """Yield what can be told without a model."""
    yield from contradictions(chart)
    yield from spellings(chart)
    yield from thin(chart)
    yield from strangers(chart)
    yield from dead(chart)
    yield from catch_all(chart)
    yield from giveaways(chart)


def contradictions(chart: Chart) -> Iterator[Finding]:
    """Tickets that say the same, or nearly, and have different labels."""
    kinds: dict[str, tuple[str, Callable[[Row], object]]] = {
        "identical": ("say the same word for word", lambda row: _plain(row.text)),
        "near-identical": ("say nearly the same", lambda row: chart.clusters.get(row.text, -1)),
    }
    known: set[frozenset[int]] = set()
    for kind, (how, key) in kinds.items():
        groups: dict[object, list[Row]] = defaultdict(list)
        for row in chart.rows:
            groups[key(row)].append(row)
        odd = {name: rows for name, rows in groups.items() if name != -1 and _differ(chart, rows)}
        fresh = [rows for rows in odd.values() if frozenset(map(id, rows)) not in known]
        known |= {frozenset(map(id, rows)) for rows in odd.values()}
        against = sum(len(rows) - _largest(chart, rows) for rows in fresh)
        if not against:
            continue
        total = sum(map(len, fresh))
        worst = sorted(fresh, key=lambda rows: _largest(chart, rows) - len(rows))
        yield chart.finding(
            kind,
            total,
            f"{total} tickets in {len(fresh)} groups {how} and have different labels; whatever"
            f" is answered, {against} of them count as wrong",
            "agree on one label for each group, or tell apart by something that the ticket says",
            examples=tuple(text for rows in worst[:SHOWN] for text in _one_of_each(chart, rows)),
        )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _differ(chart: Chart, rows: Sequence[Row]) -> bool:
    return len({row.labels[chart.aspect] for row in rows}) > 1


def _largest(chart: Chart, rows: Sequence[Row]) -> int:
    return Counter(row.labels[chart.aspect] for row in rows).most_common(1)[0][1]


def _one_of_each(chart: Chart, rows: Sequence[Row]) -> Sequence[str]:
    """Show a group by one ticket of each of its two commonest labels."""
    counts = Counter(row.labels[chart.aspect] for row in rows)
    first = {row.labels[chart.aspect]: row for row in reversed(rows)}
    return chart.shown.labelled(
        (f"{label} ({count})", first[label]) for label, count in counts.most_common(2)
    )


def spellings(chart: Chart) -> Iterator[Finding]:
    """Values that differ by blanks or capitals alone."""
    same: dict[str, Counter[str]] = defaultdict(Counter)
    for value, count in chart.raw.items():
        same[_plain(value)][value] += count
    for variants in same.values():
        padded = [value for value in variants if value != value.strip()]
        if len(variants) == 1 and not padded:
            continue
        (common, _), *others = variants.most_common()
        count = variants.total() if padded == [common] else sum(number for _, number in others)
        clean = {value.strip() for value in variants}
        yield chart.finding(
            "spelling",
            count,
            f"one class is written as {', '.join(map(quoted, sorted(variants)))}",
            "keep one option on the desk; until then let one label stand for all"
            if len(clean) > 1
            else "take the blanks off the desk's option; they are taken off before learning",
            labels=stands_for(common.strip(), sorted(clean)) if len(clean) > 1 else "",
        )


def thin(chart: Chart) -> Iterator[Finding]:
    """Classes with too few tickets to learn, or to promise the asked precision."""
    least = needed(chart.asked)
    counts = sorted(chart.counts.items(), key=lambda one: one[1])
    groups = (
        (f"fewer than {chart.floor} tickets are left out", 0, chart.floor),
        (f"fewer than {least} tickets cannot promise {chart.asked:.2f}", chart.floor, least),
    )
    for what, low, high in groups:
        found = [(label, count) for label, count in counts if low <= count < high]
        if found:
            named = ", ".join(f"{label} ({count})" for label, count in found[:NAMED])
            more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            yield chart.finding(
                "thin",
                sum(count for _, count in found),
                f"classes with {what}: {named}{more}",
                "pull a longer history, merge them into a wider class, or leave them to people",
            )


def needed(asked: float) -> int:
    """Give the answers that a promise takes when all are right."""
    return int(CONFIDENT**2 * asked / (1 - asked)) + 1 if asked < 1 else 10**9


def strangers(chart: Chart) -> Iterator[Finding]:
    """Values that the desk's field no longer accepts, and options with blanks around them."""
    if not chart.options:
        return
    gone = {label: count for label, count in chart.counts.items() if label not in chart.options}
    for label, count in sorted(gone.items(), key=lambda one: -one[1]):
        twins = [one for one in chart.options if _plain(one) == _plain(label)]
        close = twins or get_close_matches(label, chart.options, n=1, cutoff=0.75)
        hint = f", which may be called {quoted(close[0])} now" if close else ""
        yield chart.finding(
            "gone",
            count,
            f"the desk's field no longer has {quoted(label)}{hint}",
            "say what it is called now, or map it by `values`"
            if close
            else "it cannot be written: say which of the desk's options takes its tickets",
            labels=stands_for(close[0].strip(), [label]) if close else "",
        )


def dead(chart: Chart) -> Iterator[Finding]:
    """Classes that were used and are no longer, by the times at which tickets were filed."""
    times = [row.filed_at for row in chart.rows]
    known: list[datetime] = [one for one in times if one is not None]
    if len(known) < len(times) or not known:
        return
    begin = sorted(known)[round(len(known) * (1 - GONE)) - 1]
    last: dict[str, datetime] = {}
    first: dict[str, datetime] = {}
    for label, moment in zip((row.labels[chart.aspect] for row in chart.rows), known, strict=True):
        last[label] = max(moment, last.get(label, moment))
        first[label] = min(moment, first.get(label, moment))
    fresh = sorted(label for label, moment in first.items() if moment > begin)
    for label, count in chart.counts.items():
        if count < USED or last[label] > begin:
            continue
        new = [one for one in fresh if chart.counts[one] >= FEW]
        told = f"; since then there is {', '.join(map(quoted, new))}" if new else ""
        yield chart.finding(
            "dead",
            count,
            f"{quoted(label)} was last used on {last[label]:%Y-%m-%d}, for {count} tickets{told}",
            "if it was renamed, let the new name stand for it; if it is no longer used, leave its"
            " tickets out",
            labels=stands_for(new[0], [label, new[0]]) if len(new) == 1 else "",
        )


def catch_all(chart: Chart) -> Iterator[Finding]:
    """Classes whose name says that they are none."""
    total = len(chart.rows)
    for label, count in chart.counts.most_common():
        if count >= FEW and CATCH_ALL & {word.casefold() for word in _WORD.findall(label)}:
            yield chart.finding(
                "catch-all",
                count,
                f"{quoted(label)} holds {count / total:.0%} of the tickets and is no class:"
                " whatever nobody sorted ends there",
                "never write it: what is like nothing else is better left alone; sort its tickets",
                examples=chart.shown.labelled(
                    (label, row) for row in _some(chart, label) if row.text
                ),
            )


def _some(chart: Chart, label: str) -> Sequence[Row]:
    return [row for row in chart.rows if row.labels[chart.aspect] == label][:SHOWN]


def giveaways(chart: Chart) -> Iterator[Finding]:
    """Lines that stand in the tickets of one class only: forms and macros that name the label."""
    lines: dict[str, Counter[str]] = defaultdict(Counter)
    shown: dict[str, str] = {}
    for row in chart.rows:
        for line in {_form(line): line for line in row.text.splitlines()}.items():
            lines[line[0]][row.labels[chart.aspect]] += 1
            shown.setdefault(*line)
    told: set[str] = set()
    for form, found in sorted(lines.items(), key=lambda one: -one[1].total()):
        label, count = found.most_common(1)[0]
        if label in told or not _gives_away(chart, form, label, found):
            continue
        told.add(label)
        yield chart.finding(
            "giveaway",
            count,
            f"a line stands in {count} of {chart.counts[label]} tickets of {quoted(label)}, and in"
            f" {found.total() - count} others",
            "if a form, a macro or a mail gateway writes it after somebody chose the label, the"
            " figures flatter: take it out of the text. If the requester writes it, it is good",
            examples=(chart.shown.text(shown[form]),),
        )


def _gives_away(chart: Chart, form: str, label: str, found: Counter[str]) -> bool:
    """Tell whether a line is common in one class, absent elsewhere, and no mere subject."""
    count, there = found[label], chart.counts[label]
    names = _plain(label).replace("_", " ") in form.replace("_", " ")
    is_form = names or ":" in form
    return (
        there <= DOMINANT * len(chart.rows)
        and count >= max(FEW if is_form else USED, PURE * found.total(), COMMON * there)
        and (names or len(form.split()) >= LINE_WORDS)
    )


def _form(line: str) -> str:
    return _DIGITS.sub("#", _plain(line))
