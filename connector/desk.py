"""One tenant's desk, connected: its adapter, its classifier, and rules that its fields can meet."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from connector.assign import Wishes
from connector.decide import Rule, Step
from connector.errors import ConfigError
from connector.ladder import lowered
from connector.model import (
    TAGS,
    Aspect,
    FieldInfo,
    FieldKind,
    Identity,
    Mode,
    Need,
    Staff,
    TenantId,
)
from connector.ports import Adapter, Classifier, Engine, LeavesNotes, ListsStaff
from connector.rulebook import NO_RULES, PriorityRules, Rulebook
from connector.settings import AspectSettings, AssignSettings, TenantSettings, WhySettings
from connector.store import Level

_WRITABLE = {FieldKind.TEXT, FieldKind.CHOICE, FieldKind.AGENT, FieldKind.TAGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All that the path of a ticket needs to know about its tenant."""

    tenant: TenantId
    adapter: Adapter
    classifier: Classifier
    bundle: str
    identity: Identity
    rules: tuple[Rule, ...]
    staff: Staff
    wishes: Wishes = field(default_factory=Wishes)
    fields: tuple[FieldInfo, ...] = ()
    """Those that the desk had when it was connected."""
    book: Rulebook = NO_RULES
    holdout: float = 0.0
    """The share of tickets that are predicted and left to people."""
    writes_per_hour: int = sys.maxsize
    """Tickets that may be written to within an hour."""
    wanted: tuple[Rule, ...] = ()
    """The rules as the tenant's file has them; `rules` go less far where a class was demoted."""
    known: frozenset[Need] = frozenset()
    """What the desk once had of what is needed: should it lack that now, only the class pauses."""
    why: WhySettings = field(default_factory=WhySettings)


def connect(
    settings: TenantSettings,
    adapter: Adapter,
    engine: Engine,
    known: frozenset[Need] = frozenset(),
) -> Desk:
    """Ask the desk who we are and whether it has every mapped field.

    What is `known` to have been there once is not insisted on. Raises `ConfigError` with all that
    is wrong at once, `Unauthorized`, or `Retry`.
    """
    identity = adapter.check()
    fields = tuple(adapter.describe_fields())
    _require_fit(settings, fields, (engine, adapter), known)
    rules = rules_of(settings, fields, gone(settings, fields, engine, known))
    return Desk(
        tenant=settings.id,
        adapter=adapter,
        classifier=_classifier(settings, engine),
        bundle=engine.bundle,
        identity=identity,
        rules=rules,
        staff=staff_of(adapter),
        wishes=wishes_of(settings.assign),
        fields=fields,
        book=settings.rules,
        holdout=settings.holdout,
        writes_per_hour=settings.brake.writes_per_hour,
        wanted=rules,
        known=known,
        why=settings.why,
    )


def rules_of(
    settings: TenantSettings,
    fields: Sequence[FieldInfo],
    missing: Collection[Need] = (),
) -> tuple[Rule, ...]:
    """Give what a tenant's file wants done, for a desk with these fields that lacks these needs."""
    return tuple(
        _rule(aspect, chosen, fields, missing) for aspect, chosen in settings.aspects.active()
    )


def offered(
    settings: TenantSettings, fields: Sequence[FieldInfo], engine: Engine
) -> frozenset[Need]:
    """Give what the desk has of the fields and options that answers need."""
    found = {field.id: field for field in fields}
    return frozenset(
        (aspect, label, value)
        for aspect, label, value in needed(settings, engine)
        if (field := found.get(getattr(settings.aspects, aspect).field)) is not None
        and (not label or value in field.options)
    )


def gone(
    settings: TenantSettings,
    fields: Sequence[FieldInfo],
    engine: Engine,
    known: frozenset[Need],
) -> frozenset[Need]:
    """Give what answers need, and the desk once had and has no more."""
    return known.intersection(needed(settings, engine)) - offered(settings, fields, engine)


def with_fields(
    desk: Desk,
    settings: TenantSettings,
    fields: Sequence[FieldInfo],
    missing: Collection[Need],
    known: frozenset[Need],
) -> Desk:
    """Give a desk whose fields are these now; `at_levels` has to follow."""
    wanted = rules_of(settings, fields, missing)
    return replace(desk, fields=tuple(fields), wanted=wanted, known=known)


def needed(settings: TenantSettings, engine: Engine) -> Iterator[Need]:
    """Yield the fields and options that answers need."""
    labels = _labels(settings, engine)
    for aspect, chosen in settings.aspects.active():
        if chosen.field == TAGS:
            continue
        yield aspect, "", chosen.field
        if aspect is not Aspect.ASSIGNEE and _reaches(chosen, Mode.AUTO):
            for label in labels[aspect]:
                yield aspect, label, chosen.values.get(label, label)


def at_levels(desk: Desk, levels: Sequence[Level]) -> Desk:
    """Give a desk whose classes go no further than these levels say."""
    return replace(desk, rules=tuple(lowered(rule, levels) for rule in desk.wanted))


def refit(desk: Desk, settings: TenantSettings, engine: Engine) -> Desk:
    """Give a connected desk with another bundle; the desk itself is not asked.

    Raises `ConfigError` when a field lacks an option for what the bundle answers.
    """
    _require_fit(settings, desk.fields, (engine, desk.adapter), desk.known)
    return replace(desk, classifier=_classifier(settings, engine), bundle=engine.bundle)


def wishes_of(settings: AssignSettings) -> Wishes:
    """Give what a tenant wants considered when somebody is suggested."""
    return Wishes(
        half_life=settings.half_life,
        load=settings.load,
        most_open=settings.most_open,
        away=frozenset(settings.away),
    )


def staff_of(adapter: Adapter) -> Staff:
    """Ask who works on the desk; nobody where the platform cannot tell."""
    return adapter.staff() if isinstance(adapter, ListsStaff) else Staff()


def _classifier(settings: TenantSettings, engine: Engine) -> Classifier:
    active = dict(settings.aspects.active())
    return engine.classifier(
        {aspect: told for aspect, chosen in active.items() if (told := chosen.described)},
        {aspect: names for aspect, chosen in active.items() if (names := chosen.names)},
    )


def _labels(settings: TenantSettings, engine: Engine) -> Mapping[Aspect, Sequence[str]]:
    """List all that each aspect may be answered with."""
    labels = {
        aspect: answered(chosen, engine.labels(aspect))
        for aspect, chosen in settings.aspects.active()
    }
    wider = settings.rules.category.parents.values()
    return labels | {Aspect.CATEGORY: (*labels.get(Aspect.CATEGORY, ()), *wider)}


def _require_fit(
    settings: TenantSettings,
    fields: Sequence[FieldInfo],
    parts: tuple[Engine, Adapter],
    known: frozenset[Need],
) -> None:
    engine, adapter = parts
    labels = _labels(settings, engine)
    problems = [
        *_strangers(settings, engine),
        *_problems(settings, fields, labels, known),
        *_unruled(settings, labels),
        *_unexplained(settings, fields, adapter),
    ]
    if problems:
        raise ConfigError(problems)


def _unexplained(
    settings: TenantSettings, fields: Sequence[FieldInfo], adapter: Adapter
) -> Iterator[str]:
    """Yield why a desk could not be told what an answer rests on."""
    place, wanted = f"{settings.tenant}: why", settings.why
    if wanted.note and not isinstance(adapter, LeavesNotes):
        yield f"{place}.note: this platform's adapter leaves no notes; take `why.field` instead"
    if wanted.field is None:
        return
    field = next((one for one in fields if one.id == wanted.field), None)
    users = [aspect for aspect, chosen in settings.aspects.active() if chosen.field == wanted.field]
    if field is None:
        yield f"{place}.field: {_no_such_field(wanted.field, fields)}"
    elif field.kind is not FieldKind.TEXT or field.options:
        yield (
            f"{place}.field: the desk's field {field.id!r} ({field.title}) takes {field.kind}; map"
            " a text field"
        )
    if users:
        yield f"{place}.field: aspects.{users[0]} goes into this field; it needs one of its own"


def _unruled(settings: TenantSettings, labels: Mapping[Aspect, Sequence[str]]) -> Iterator[str]:
    """Yield what rules cannot go by: priorities without a rank, orders for categories unknown."""
    rules = settings.rules
    unranked = [one for one in labels.get(Aspect.PRIORITY, ()) if one not in rules.priority.order]
    if unranked and rules.priority != PriorityRules():
        yield (
            f"{settings.tenant}: rules.priority.order: the model also answers"
            f" {', '.join(unranked)}; name all priorities, the lowest first"
        )
    known = labels[Aspect.CATEGORY]
    for name, order in rules.category.orders.items():
        if order.label not in known:
            yield (
                f"{settings.tenant}: rules.category.orders.{name}.label: there is no category"
                f" {order.label!r}; the model answers {', '.join(known)}"
            )


def answered(chosen: AspectSettings, known: Sequence[str]) -> Sequence[str]:
    """List what an aspect is answered with, from the labels that the bundle knows."""
    if chosen.described:
        return tuple(chosen.described)
    renamed = {label for own in chosen.names.values() for label in own.labels}
    return tuple(dict.fromkeys([*chosen.names, *(one for one in known if one not in renamed)]))


def _strangers(settings: TenantSettings, engine: Engine) -> Iterator[str]:
    """Yield a problem for each label that an own one stands for and the bundle does not know."""
    for aspect, chosen in settings.aspects.active():
        known = engine.labels(aspect)
        for name, own in chosen.names.items():
            for label in own.labels:
                if label not in known:
                    close = get_close_matches(label, known, n=1)
                    hint = f", did you mean {close[0]!r}?" if close else ""
                    yield (
                        f"{settings.tenant}: aspects.{aspect}.labels.{name}.stands_for:"
                        f" {engine.bundle} has no label {label!r}{hint}; it answers"
                        f" {', '.join(known) or 'nothing'}"
                    )


def _rule(
    aspect: Aspect,
    settings: AspectSettings,
    fields: Sequence[FieldInfo],
    missing: Collection[Need],
) -> Rule:
    kind = FieldKind.TAGS if settings.field == TAGS else FieldKind.OTHER
    lost = {label: value for of, label, value in missing if of is aspect}
    return Rule(
        aspect=aspect,
        field=_field(settings, fields)
        or FieldInfo(id=settings.field, title=settings.field, kind=kind),
        gone=frozenset(value for label, value in lost.items() if label),
        field_is_gone="" in lost,
        mode=settings.mode,
        precision=settings.precision,
        values=settings.values,
        treat_as_empty=frozenset(settings.treat_as_empty),
        can_suggest=any(field.id == TAGS for field in fields),
        steps={
            label: Step(
                mode=settings.mode if chosen.mode is None else chosen.mode,
                precision=settings.precision if chosen.precision is None else chosen.precision,
            )
            for label, chosen in settings.classes.items()
        },
    )


def _field(settings: AspectSettings, fields: Sequence[FieldInfo]) -> FieldInfo | None:
    return next((field for field in fields if field.id == settings.field), None)


def _problems(
    settings: TenantSettings,
    fields: Sequence[FieldInfo],
    labels: Mapping[Aspect, Sequence[str]],
    known: frozenset[Need],
) -> Iterator[str]:
    """Yield every reason why an aspect could not be written, before the first ticket comes."""
    for aspect, chosen in settings.aspects.active():
        place = f"{settings.tenant}: aspects.{aspect}"
        field = _field(chosen, fields)
        if _shows_tags(chosen) and not any(known.id == TAGS for known in fields):
            yield (
                f"{place}.{'field' if chosen.field == TAGS else 'mode'}: this desk keeps no tags, "
                "in which `suggest` shows answers; give it a field for them where its platform "
                "takes one, or write `shadow` or `auto`"
            )
        elif field is None and chosen.field != TAGS and (aspect, "", chosen.field) not in known:
            yield f"{place}.field: {_no_such_field(chosen.field, fields)}"
        elif field is not None and _reaches(chosen, Mode.AUTO):
            asked = [
                label
                for label in labels[aspect]
                if (aspect, label, chosen.values.get(label, label)) not in known
            ]
            yield from _unfit(place, aspect, chosen, field, asked)
        yield from _unknown_classes(place, aspect, chosen, labels[aspect])


def _shows_tags(settings: AspectSettings) -> bool:
    return _reaches(settings, Mode.SUGGEST) or settings.field == TAGS


def _reaches(settings: AspectSettings, mode: Mode) -> bool:
    """Tell whether the aspect, or one of its classes, is set to a mode."""
    return mode in (settings.mode, *(one.mode for one in settings.classes.values()))


def _unknown_classes(
    place: str, aspect: Aspect, chosen: AspectSettings, labels: Sequence[str]
) -> Iterator[str]:
    if aspect is Aspect.ASSIGNEE:  # its classes are people, whom only the desk knows
        return
    for label in chosen.classes:
        if label not in labels:
            close = get_close_matches(label, labels, n=1, cutoff=0.5)
            hint = f", did you mean {close[0]!r}?" if close else ""
            yield f"{place}.classes: no answer is called {label!r}{hint} ({', '.join(labels)})"


def _no_such_field(name: str, fields: Sequence[FieldInfo]) -> str:
    titles = {field.title.casefold(): field for field in fields}
    ids = {field.id: field for field in fields}
    close = get_close_matches(name.casefold(), [*ids, *titles], n=1, cutoff=0.5)
    found = ids.get(close[0]) or titles.get(close[0]) if close else None
    hint = f", did you mean {found.id!r} ({found.title})?" if found else ""
    return f"the desk has no field {name!r}{hint}; create it there, or map another one"


def _unfit(
    place: str,
    aspect: Aspect,
    chosen: AspectSettings,
    field: FieldInfo,
    labels: Sequence[str],
) -> Iterator[str]:
    named = f"the desk's field {field.id!r} ({field.title})"
    if field.kind not in _WRITABLE:
        yield f"{place}.field: {named} takes {field.kind}; map a text or drop-down field"
        return
    if aspect is Aspect.ASSIGNEE:
        if field.options:
            yield f"{place}.field: {named} has fixed options; map a text field or the assignee"
        return
    if not field.options:
        return
    missing = [
        value for label in labels if (value := chosen.values.get(label, label)) not in field.options
    ]
    if missing:
        yield (
            f"{place}.values: {named} lacks the options {', '.join(missing)}; add them on the desk"
            f" or rename them under `values` (it has {', '.join(field.options)})"
        )
