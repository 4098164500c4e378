"""An assessment on a terminal: verdicts in plain words, then what is wrong with the labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

CLASSES = 20
"""Classes shown; those that are nearest to being ready come first."""
FINDINGS = 12
"""Findings shown; the page and the JSON hold all."""


def show_verdicts(told: Mapping[str, Any], console: Console) -> None:
    """Print what can be switched on, and what it would do."""
    newest = "the newest" if told["by_time"] else "drawn"
    console.print(
        f"[bold]{told['rows']} tickets of {escape(told['file'])}: learnt from {told['learnt']},"
        f" tested on {newest} {told['tested']}[/bold]"
    )
    for aspect, reason in told["left_out"].items():
        console.print(f"{aspect}: left out, {reason}", markup=False)
    for found in told["aspects"].values():
        console.print()
        console.print(f"[bold green]{escape(found['verdict'])}[/bold green]")
        console.print(outcome(found["funnel"]), markup=False)
        console.print(hours(found["saved"]), markup=False)
        console.print(_classes(found))
        if as_named := found.get("as_named"):
            console.print()
            console.print(f"[bold green]{escape(renamed(as_named))}[/bold green]")
            console.print(outcome(as_named["funnel"]), markup=False)
            console.print(_classes(as_named))


def renamed(found: Mapping[str, Any]) -> str:
    """Say what a tenant's own names for labels make of the verdict, and which label none has."""
    told = f"With the names in the tenant's file: {found['verdict']}"
    if found["unknown"]:
        told += f"; this history did not teach {', '.join(found['unknown'])}"
    return told


def outcome(found: Mapping[str, Any]) -> str:
    """Say what would have become of the tickets tested on."""
    count = max(1, found["n"])
    told = f"Of {found['n']} tickets tested on, {found['written'] / count:.1%} would be written"
    if found["written"]:
        told += (
            f" ({found['right'] / found['written']:.1%} of them right, at most"
            f" {found['at_most_wrong_per_100_writes']:.1f} wrong of 100)"
        )
    return (
        f"{told}, {found['suggested'] / count:.1%} could be suggested, and"
        f" {found['left_alone'] / count:.1%} are left alone. Wrong writes per 100 tickets:"
        f" {found['wrong_per_100_tickets']:.1f}."
    )


def hours(saved: Mapping[str, Any]) -> str:
    """Say what writing saves, and under which assumption."""
    minutes = f"{saved['minutes_per_ticket']:g} minutes"
    assumed = f"if a right value saves {minutes} and a wrong one costs as much"
    if saved["hours_per_month"] is None:
        return f"{saved['hours_per_1000_tickets']:.1f} hours per 1,000 tickets, {assumed}."
    return (
        f"{saved['hours_per_month']:.1f} hours a month, at {saved['tickets_per_month']} tickets a"
        f" month, {assumed}."
    )


def nearest(classes: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Order classes: ready ones by size, then those that lack least, then those that cannot."""

    def key(one: tuple[str, Mapping[str, Any]]) -> tuple[int, float]:
        told = one[1]
        if told["ready"]:
            return 0, -told["tickets"]
        return (1, told["needs"]) if told["needs"] else (2, -told["tickets"])

    return sorted(classes.items(), key=key)


def standing(one: Mapping[str, Any]) -> str:
    """Say where a class stands."""
    if one["ready"]:
        return f"ready from confidence {one['threshold']:.2f} on"
    if one["needs"]:
        return f"needs {one['needs']} more tickets"
    if one.get("split"):
        return "split by words: no ticket tells how often that is right"
    if one["unclear"]:
        return "too small to tell"
    return f"even the surest answers are right in {one['surest_right']:.0%} only"


def _classes(found: Mapping[str, Any]) -> Table:
    ordered = nearest(found["classes"])
    left = len(ordered) - CLASSES
    table = Table(caption=f"and {left} more" if left > 0 else None, caption_justify="left")
    for heading in ("class", "tickets", "most promised", ""):
        table.add_column(heading)
    for label, one in ordered[:CLASSES]:
        table.add_row(
            escape(label),
            str(one["tickets"]),
            f"{one['most']:.2f}",
            standing(one),
            style="" if one["ready"] else "dim",
        )
    return table


def show_findings(findings: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what is wrong with the labels, by how many tickets it concerns."""
    if not findings:
        console.print("\nNothing is wrong with the labels that a history could tell.")
        return
    console.print()
    console.rule(f"[bold]Data doctor[/bold]: {len(findings)} findings", align="left")
    for one in findings[:FINDINGS]:
        head = f"{one['aspect']}, {one['kind']} ({one['tickets']} tickets)"
        console.print(f"[bold]{head}[/bold]: {escape(one['told'])}")
        for example in one["examples"]:
            console.print(f"    {example}", style="dim", markup=False)
        console.print(f"  → {one['remedy']}", markup=False)
        if one["labels"]:
            console.print(f"    labels: {one['labels']}", markup=False, highlight=False)
    if len(findings) > FINDINGS:
        console.print(f"and {len(findings) - FINDINGS} more: see --html or --json")
