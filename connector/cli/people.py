"""The back-test of suggested assignees in an assessment: figures, and a verdict in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from connector.assign import Wishes
from connector.backtest import COMMONEST, TESTED, Backtest, Rival, backtest
from connector.model import Past

FEWEST_PEOPLE = 2
FEWEST_TESTED = 50
"""Tickets asked about below which a share says little: its interval is 28 points wide."""
GROUP = "its group"
"""What a look-up by the assignment group is called."""
UNEVENLY = 1.05
"""Times the other spread above which open tickets are said to lie less evenly."""
DIGITS = 4


def judge(pasts: Sequence[Past], wishes: Wishes) -> dict[str, Any]:
    """Give how good suggestions would have been, or why that cannot be told, as `skipped`.

    A history tells the group that a ticket ended in. So it is asked twice: for tickets of which no
    group is known, and as if that group had been set before. Nobody is named.
    """
    grouped = [one for one in pasts if one.case.group]
    people = {one.case.assignee for one in grouped}
    groups = {one.case.group for one in grouped}
    tested = round(len(grouped) * TESTED)
    if reason := _lacking(len(pasts), len(people), tested, len(groups)):
        return {"skipped": reason}
    told = _figures(backtest(grouped, wishes))
    told |= {"learnt": len(grouped) - tested, "people": len(people), "groups": len(groups)}
    told["in_group"] = None  # with one group, nothing more is known
    if len(groups) > 1:
        routed = [
            replace(one, group=one.case.group, known_by={GROUP: one.case.group}) for one in grouped
        ]
        told["in_group"] = _figures(backtest(routed, wishes))
    return {**told, "verdict": _sentence(told)}


def _lacking(resolved: int, people: int, tested: int, groups: int) -> str:
    """Say what there is too little of; nothing where there is enough."""
    if not resolved:
        return "the history tells of no ticket who resolved it"
    if not groups:
        return "no ticket has a group, and people are suggested by group"
    if people < FEWEST_PEOPLE:
        return "one person resolved everything"
    if tested < FEWEST_TESTED:
        return (
            f"{tested} tickets with a person and a group would be asked about; {FEWEST_TESTED} are"
            " needed: give a longer history"
        )
    return ""


def _figures(found: Backtest) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tested": found.tickets,
        "top_1": round(found.everybody.top_1, DIGITS),
        "top_3": round(found.everybody.top_3, DIGITS),
        "sure_enough": round(found.named, DIGITS),
        "sure_top_1": round(found.suggested.top_1, DIGITS) if found.named else None,
        "sure_top_3": round(found.suggested.top_3, DIGITS) if found.named else None,
        "rivals": {name: _rival(one) for name, one in found.rivals.items()},
        "spread": round(found.spread, DIGITS),
        "spread_before": round(found.spread_before, DIGITS),
    }
    return told


def _rival(one: Rival) -> dict[str, Any]:
    leads = {name: [round(end, DIGITS) for end in asdict(one)[name]] for name in _LEADS}
    return {
        "top_1": round(one.score.top_1, DIGITS),
        "top_3": round(one.score.top_3, DIGITS),
        **leads,
    }


_LEADS = ("lead_1", "lead_3")


def _sentence(told: Mapping[str, Any]) -> str:
    """Say in plain words what a suggestion is worth beside doing it by a simple rule."""
    rivals = [*told["rivals"].items(), *(told["in_group"] or {"rivals": {}})["rivals"].items()]
    worse = [name for name, one in rivals if one["lead_3"][1] < 0]
    alike = [name for name, one in rivals if one["lead_3"][0] <= 0 <= one["lead_3"][1]]
    hit = (
        f"assignee: the right person comes first for {told['top_1']:.0%} of {told['tested']}"
        f" tickets and among three for {told['top_3']:.0%}"
    )
    if COMMONEST in worse:
        return f"{hit}; going by {COMMONEST} does better: leave it off"
    if worse:
        return (
            f"{hit}; going by {_named(worse)}, as people left it in the end, does better: where"
            " that is known at the beginning, a rule on the desk will do"
        )
    if alike:
        return f"{hit}; no better than going by {_named(alike)}, as far as these tickets tell"
    return f"{hit}; better than going by {_named([name for name, _ in rivals])}: worth suggesting"


def _named(names: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(names))


def spread(told: Mapping[str, Any]) -> str:
    """Say whether work would pile up if each ticket went to whoever is named first."""
    ours, before = told["spread"], told["spread_before"]
    figures = f"unevenness {ours:.2f}, was {before:.2f}"
    if ours > before * UNEVENLY:
        return (
            "If each ticket went to whoever is named first, open tickets would pile up"
            f" ({figures}): raise assign.load."
        )
    how = "more evenly than they did" if ours * UNEVENLY < before else "as evenly as they did"
    return (
        f"If each ticket went to whoever is named first, open tickets would lie {how} ({figures})."
    )


def lines(told: Mapping[str, Any]) -> Iterator[tuple[str, float, float, str]]:
    """Yield each way to name people: right first, right among three, and how far ours is ahead."""
    yield "triaged", told["top_1"], told["top_3"], ""
    if told["sure_enough"]:
        name = f"triaged, where it is sure enough to suggest ({told['sure_enough']:.0%})"
        yield name, told["sure_top_1"], told["sure_top_3"], ""
    yield from _rivals(told)
    if told["in_group"]:
        yield "triaged, the group known", told["in_group"]["top_1"], told["in_group"]["top_3"], ""
        yield from _rivals(told["in_group"], but=COMMONEST)


def _rivals(told: Mapping[str, Any], *, but: str = "") -> Iterator[tuple[str, float, float, str]]:
    for name, one in told["rivals"].items():
        if name == but:
            continue
        low, high = one["lead_3"]
        lead = f"{100 * low:+.1f} to {100 * high:+.1f} points"
        yield f"going by {name}", one["top_1"], one["top_3"], lead


def show_people(told: Mapping[str, Any], console: Console) -> None:
    """Print what suggestions of assignees are worth, or why nothing can be said."""
    console.print()
    if "skipped" in told:
        console.print(f"assignee: not tested back, {told['skipped']}", markup=False)
        return
    console.print(f"[bold green]{told['verdict']}[/bold green]")
    console.print(spread(told), markup=False)
    table = Table()
    for heading in ("", "right first", "among three", "triaged is ahead by, among three"):
        table.add_column(heading)
    for name, first, three, lead in lines(told):
        table.add_row(name, f"{first:.1%}", f"{three:.1%}", lead)
    console.print(table)
