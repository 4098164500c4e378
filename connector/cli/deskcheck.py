"""What `triaged check --online` asks a tenant's desk: who we are, fields, clock, rules, webhook."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.app import adapter_for
from connector.desk import Desk, connect, needed, offered
from connector.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, Rejected, TriagedError
from connector.inspection import (
    AddsOptions,
    CanBeInspected,
    ChecksWebhook,
    Level,
    ListsAutomations,
    ShowsClock,
)
from connector.model import FieldInfo
from connector.ports import Adapter, Engine, Surroundings
from connector.settings import TenantSettings

WORTH_A_WORD = 30.0
"""Seconds between two clocks from which on it is told: NTP keeps them within one."""

TOO_FAR = 300.0
"""Seconds beyond which signed webhook calls are refused as too old or too new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; with a `problem` something has to be done."""

    subject: str
    level: Level = Level.OK
    fact: str = ""
    problem: str = ""
    exit_code: int = 0


def trouble(subject: str, error: TriagedError) -> Finding:
    """Give an error as a finding."""
    return wrong(subject, str(error), error.exit_code)


def wrong(subject: str, problem: str, exit_code: int = EXIT_FAILED) -> Finding:
    """Give a finding that something has to be done."""
    return Finding(subject=subject, level=Level.ERROR, problem=problem, exit_code=exit_code)


def findings(
    tenant: TenantSettings, surroundings: Surroundings, engine: Engine, *, create: bool
) -> Iterator[Finding]:
    """Ask a desk everything; with `create`, options that answers need are added to it first."""
    subject = f"{tenant.tenant}: desk"
    try:
        with adapter_for(tenant, surroundings) as adapter:
            yield from _asked(tenant, adapter, engine, create=create)
    except ConfigError as error:
        yield from (wrong(subject, problem, EXIT_CONFIG) for problem in error.problems)
    except TriagedError as error:
        yield trouble(subject, error)


def _asked(
    tenant: TenantSettings, adapter: Adapter, engine: Engine, *, create: bool
) -> Iterator[Finding]:
    """Ask on after a field that does not fit; raises what means that nothing can be asked."""
    inspection = adapter.inspection() if isinstance(adapter, CanBeInspected) else None
    if create:
        adapter.check()
        yield from _added(tenant, adapter, engine, inspection)
    try:
        desk = connect(tenant, adapter, engine)
    except ConfigError as error:
        for problem in error.problems:
            yield wrong(f"{tenant.tenant}: desk", problem, EXIT_CONFIG)
    else:
        yield Finding(subject=f"{tenant.tenant}: desk", fact=_summary(desk))
        for warning in desk.identity.warnings:
            yield Finding(subject=f"{tenant.tenant}: note", level=Level.WARNING, fact=warning)
    yield from _clock(tenant, inspection)
    yield from _automations(tenant, inspection)
    yield from _webhook(tenant, inspection)


def _summary(desk: Desk) -> str:
    fields = ", ".join(f"{rule.aspect} → {rule.field.title}" for rule in desk.rules)
    people = f"{len(desk.staff.agents)} agents in {len(desk.staff.groups)} groups"
    return f"{desk.identity.name} ({desk.identity.account}); {fields}; {people}"


def lacking(
    tenant: TenantSettings, fields: Sequence[FieldInfo], engine: Engine
) -> Mapping[str, Sequence[str]]:
    """Give, by field, the options that answers need and that a drop-down does not have."""
    drop_downs = {field.id for field in fields if field.options}
    found: dict[str, list[str]] = {}
    there = offered(tenant, fields, engine)
    for need in needed(tenant, engine):
        aspect, label, value = need
        field = getattr(tenant.aspects, aspect).field
        if label and need not in there and field in drop_downs:
            found.setdefault(field, []).append(value)
    return found


def _added(
    tenant: TenantSettings, adapter: Adapter, engine: Engine, inspection: object
) -> Iterator[Finding]:
    subject = f"{tenant.tenant}: options"
    missing = lacking(tenant, adapter.describe_fields(), engine)
    if not missing:
        yield Finding(subject=subject, fact="every drop-down has what answers need")
    for field, values in missing.items():
        named = f"{', '.join(values)} to field {field!r}"
        if not isinstance(inspection, AddsOptions):
            yield wrong(
                subject,
                f"this platform's adapter adds no options: add {named} on the desk yourself",
                EXIT_CONFIG,
            )
            continue
        try:
            inspection.add_options(field, values)
        except (Rejected, ValueError) as error:
            yield wrong(
                subject, f"the desk did not add {named} ({error}): an administrator of it has to"
            )
        else:
            yield Finding(subject=subject, fact=f"added {named}")


def _clock(tenant: TenantSettings, inspection: object) -> Iterator[Finding]:
    subject = f"{tenant.tenant}: clock"
    skew = inspection.clock_skew() if isinstance(inspection, ShowsClock) else None
    if skew is None:
        yield Finding(subject=subject, level=Level.NOTE, fact="the desk does not tell its time")
        return
    apart = f"{abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) >= TOO_FAR:
        yield wrong(
            subject,
            f"the desk's clock is {apart}: signed webhook calls are refused from {TOO_FAR:.0f} on;"
            " keep this machine's clock by NTP (`timedatectl`)",
        )
    elif abs(skew) >= WORTH_A_WORD:
        fact = f"the desk's clock is {apart}; keep this machine's by NTP"
        yield Finding(subject=subject, level=Level.WARNING, fact=fact)
    else:
        fact = f"the desk's and this machine's are at most {WORTH_A_WORD:.0f} seconds apart"
        yield Finding(subject=subject, fact=fact)


def _automations(tenant: TenantSettings, inspection: object) -> Iterator[Finding]:
    subject = f"{tenant.tenant}: automations"
    if not isinstance(inspection, ListsAutomations):
        yield _unasked(
            subject, "this platform's rules cannot be listed: look by hand that none mails people"
        )
        return
    fields = {chosen.field for _, chosen in tenant.aspects.active()}
    try:
        found = inspection.automations(fields)
    except TriagedError as error:
        yield _unread(subject, "the desk's rules", error)
        return
    if not found:
        yield Finding(subject=subject, fact="no active rule of the desk was found to interfere")
    for one in found:
        told = (
            f"{one.kind} {one.name!r} {one.risk}: give it a condition that leaves the triage"
            " account out, or switch it off"
        )
        yield Finding(subject=subject, level=Level.WARNING, fact=told)


def _webhook(tenant: TenantSettings, inspection: object) -> Iterator[Finding]:
    subject = f"{tenant.tenant}: webhook"
    if tenant.intake.webhook is None:
        fact = "none is configured (intake.webhook): changes are found by polls alone"
        yield Finding(subject=subject, level=Level.NOTE, fact=fact)
    elif not isinstance(inspection, ChecksWebhook):
        yield _unasked(
            subject,
            "this platform does not tell how it calls: change a ticket, and look for"
            f" `ticket_triaged` with source webhook, or `webhook_refused`, of {tenant.tenant}",
        )
    else:
        try:
            for remark in inspection.webhook(tenant.id):
                if remark.level is Level.ERROR:
                    yield wrong(subject, remark.text)
                else:
                    yield Finding(subject=subject, level=remark.level, fact=remark.text)
        except TriagedError as error:
            yield _unread(subject, "the desk's webhooks", error)


def _unasked(subject: str, fact: str) -> Finding:
    return Finding(subject=subject, level=Level.NOTE, fact=fact)


def _unread(subject: str, what: str, error: TriagedError) -> Finding:
    fact = f"{what} could not be read ({error.detail}): look by hand, or give the account the right"
    return Finding(subject=subject, level=Level.WARNING, fact=fact)
