"""`triaged report`: what became of the answers of a time, and what people's work was like."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connector import arms, config, registry, report, secrets, shares
from connector.cli import options
from connector.cli.history import tenant_of
from connector.cli.ladder import as_told, show_advice, standing_of
from connector.cli.moment import Moment
from connector.ladder import Standing
from connector.settings import TenantSettings
from connector.store import Place, look_at_records, place_of

LAST = timedelta(days=30)
"""What is told without `--since`."""

NAMES, COUNTS = 46, 8
"""Columns of a funnel: the same for all, so that one can be read against the other."""

HOUR, DAY = 60, 24 * 60
"""Minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that is told of one tenant; times are Unix seconds."""

    tenant: str
    since: float
    until: float
    holdout: float
    intake: report.Intake
    funnels: Sequence[report.Funnel]
    classes: Sequence[Standing]
    arms: arms.Comparison


@click.command("report")
@options.configuration
@click.argument("tenant", required=False)
@click.option(
    "--since",
    type=Moment(),
    help="What was decided from then on: a day, a time, or how long ago, such as 7d; 30d unless"
    " given.",
)
@click.option("--until", type=Moment(), help="What was decided before that time.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with everything; one that exists is replaced.",
)
@options.as_json
def command(
    path: Path,
    tenant: str | None,
    since: float | None,
    until: float | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Tell what was answered, written, kept and corrected for TENANT, or for all.

    And the reason of each loss on the way, how often each class is right, and how tickets fared
    that were held out. The daemon need not be running; the desk is not asked.
    """
    settings = config.load(path, registry.platforms())
    where = place_of(settings.daemon, secrets.resolver())
    chosen = [tenant_of(settings, tenant)] if tenant else settings.tenants
    now = datetime.now(UTC)
    begin = (now - LAST).timestamp() if since is None else since
    end = now.timestamp() if until is None else until
    if begin >= end:
        raise click.UsageError("--since has to lie before --until")
    found = [_read(one, where, begin, end) for one in chosen]
    if html:
        # Here and not above: it is needed for this option only.
        from connector.cli.reportpage import page  # noqa: PLC0415 - see above

        html.write_text(page(found), encoding="utf-8")
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2))
        return
    console = Console()
    for one in found:
        _show(one, console)
    if html:
        click.echo(f"Written: {html}")


def _read(tenant: TenantSettings, place: Place, since: float, until: float) -> Told:
    records = look_at_records(place, tenant.id, since, until)
    return Told(
        tenant=tenant.tenant,
        since=since,
        until=until,
        holdout=tenant.holdout,
        intake=report.intake(records),
        funnels=report.funnels(records),
        classes=tuple(standing_of(tenant, place)),
        arms=arms.compare(records),
    )


def _as_json(told: Told) -> Mapping[str, Any]:
    return {**asdict(told), "classes": [as_told(one) for one in told.classes]}


def period(told: Told) -> str:
    """Say from when to when."""
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (told.since, told.until))
    return f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def stages(funnel: report.Funnel) -> Iterator[tuple[str, int, bool]]:
    """Yield what each stage is called, its tickets, and whether it is a loss to the one above."""
    yield "eligible", funnel.eligible, False
    yield from ((reason, count, True) for reason, count in funnel.unanswered.items())
    yield "predicted", funnel.predicted, False
    yield from ((reason, count, True) for reason, count in funnel.not_set.items())
    if funnel.written or not funnel.suggested:
        yield "written", funnel.written, False
    if funnel.suggested:
        yield "suggested", funnel.suggested, False
    yield "taken back by triaged undo", funnel.undone, True
    yield "not judged yet", funnel.unjudged - funnel.doubted, True
    yield "not judged yet, corrected up to now", funnel.doubted, True
    yield "corrected", funnel.corrected, True
    yield "kept", funnel.kept, False


def of_all(count: int, funnel: report.Funnel) -> str:
    """Write a count as a share of the eligible tickets."""
    return f"{count / funnel.eligible:.0%}" if funnel.eligible else ""


def intake_line(told: Told) -> str:
    """Say how many tickets were heard of, and why some were not decided."""
    one = told.intake
    lost = "".join(f"; {count} {reason}" for reason, count in one.left.items())
    return f"{one.heard} tickets were heard of, {one.decided} decided{lost}"


def rate(one: Standing) -> tuple[str, str]:
    """Write the share of a class that is right, and its interval."""
    if not one.judged:
        return "", ""
    low, high = shares.interval(one.right, one.judged)
    return f"{one.right / one.judged:.1%}", f"{low:.1%}–{high:.1%}"


def figure(one: arms.Figure, unit: str) -> tuple[str, str]:
    """Write a figure with its number of tickets, and its interval."""
    if one.value is None or one.interval is None:
        return "", ""
    low, high = (_amount(end, unit) for end in one.interval)
    return f"{_amount(one.value, unit)} of {one.n}", f"{low}–{high}"


def apart(row: arms.Row) -> str:
    """Write what lies between the arms."""
    if row.difference is None:
        return f"fewer than {arms.ENOUGH} in an arm"
    low, high = row.difference
    points = " points" if row.unit == "share" else ""
    told = f"{_signed(low, row.unit)} to {_signed(high, row.unit)}{points}"
    return told if low * high > 0 else f"{told}: may be chance"


def verdict_on_arms(told: Told) -> str:
    """Say what the comparison is worth; nothing where it speaks for itself."""
    if told.arms.held_out:
        return ""
    if told.holdout:
        return f"No ticket of this time was held out yet, though `holdout` is {told.holdout:.0%}."
    return (
        "No ticket is held out (`holdout: 5%` in the tenant's file does): whether triaged makes a"
        " difference to assignment, and how many wrong values people let stand, cannot be told."
    )


def _amount(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:.1%}"
    if value >= 2 * DAY:
        return f"{value / DAY:.1f} d"
    return f"{value / HOUR:.1f} h" if value >= 2 * HOUR else f"{value:.0f} min"


def _signed(value: float, unit: str) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    size = f"{abs(value) * 100:.1f}" if unit == "share" else _amount(abs(value), unit)
    return f"{sign}{size}"


def _show(told: Told, console: Console) -> None:
    console.rule(f"[bold]{told.tenant}[/bold], {period(told)}", align="left")
    console.print(intake_line(told), highlight=False)
    if not told.funnels:
        console.print("Nothing was decided in this time.\n")
        return
    for funnel in told.funnels:
        console.print()
        console.print(_funnel(funnel))
    console.print()
    if told.classes:
        console.print(_classes(told.classes))
        show_advice(told.classes, console)
    else:
        console.print("No class has been judged by a `precision` yet.")
    console.print()
    if missing := verdict_on_arms(told):
        console.print(missing, highlight=False)
    else:
        console.print(_arms(told.arms))
    console.print()


def _funnel(funnel: report.Funnel) -> Table:
    table = Table(title=f"{funnel.aspect}", title_justify="left", box=None, pad_edge=False)
    table.add_column("", min_width=NAMES)
    table.add_column("tickets", justify="right", min_width=COUNTS)
    table.add_column("", justify="right", min_width=COUNTS)
    for name, count, is_loss in stages(funnel):
        if not is_loss:
            table.add_row(f"[bold]{name}[/bold]", f"[bold]{count}[/bold]", of_all(count, funnel))
        elif count:
            table.add_row(f"  − {name}", str(count), of_all(count, funnel), style="dim")
    return table


def _classes(classes: Sequence[Standing]) -> Table:
    table = Table(
        title="Right, class by class, since each came to its level",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for heading in ("aspect", "class", "now"):
        table.add_column(heading)
    for heading in ("right", "95 %", "judged", "asked"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in classes:
        table.add_row(
            one.aspect,
            escape(one.label) or "(all)",
            f"[bold]{one.mode}[/bold]" if one.is_lowered else one.mode,
            *rate(one),
            str(one.judged),
            f"{one.asked:g}",
        )
    return table


def _arms(told: arms.Comparison) -> Table:
    title = f"Triaged ({told.triaged} tickets) beside held out ({told.held_out})"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, leading=1)
    for heading in ("", "triaged, 95 %", "held out, 95 %", "difference, 95 %"):
        table.add_column(heading)
    for row in told.rows:
        figures = ("\n".join(figure(one, row.unit)) for one in (row.triaged, row.held_out))
        table.add_row(row.name, *figures, apart(row).replace(": ", "\n"))
    return table
