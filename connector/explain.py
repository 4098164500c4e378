"""Leaves on a ticket what its answers rest on, once they are written, where a tenant wants it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

import structlog

from connector.clean import clean
from connector.desk import Desk
from connector.errors import TriagedError
from connector.model import Aspect, Case, FieldUpdate, Ticket, Verdict
from connector.occlusion import words
from connector.ports import LeavesNotes, Links
from connector.store import Entry, Store
from connector.why import Similar, Why, alike, as_json, as_note

_log = structlog.get_logger()


class Explainer:
    """Explains the tickets of one batch; the case book is read at the first of them."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def tell(
        self, ticket: Ticket, entry: Entry, slots: Collection[str], *, quietly: bool = False
    ) -> None:
        """Leave a note, unless it shall be done quietly, and fill the field, about what was just
        set on a ticket.

        It is a courtesy: what cannot be left is logged and not tried again, so that no note stands
        there twice and no ticket waits for one. Nothing is done where nothing is wanted.
        """
        wanted = self._desk.why
        has_note = wanted.note and not quietly
        if not has_note and wanted.field is None:
            return
        why, adapter = self._why(ticket, entry, slots), self._desk.adapter
        # The field first: the note would make the ticket another one than it was when it was read.
        if wanted.field is not None:
            told = FieldUpdate(
                aspect=why.verdicts[0].prediction.aspect,
                field=wanted.field,
                value=as_json(why),
                replaces=ticket.fields.get(wanted.field),
            )
            self._leave(ticket, lambda: adapter.write(ticket, (told,)))
        if has_note and isinstance(adapter, LeavesNotes):
            self._leave(ticket, lambda: adapter.leave_note(ticket, as_note(why)))

    def _leave(self, ticket: Ticket, leave: Callable[[], object]) -> None:
        try:
            leave()
        except TriagedError as error:
            _log.warning(
                "why_not_left", tenant=self._desk.tenant, ticket=ticket.id, error=str(error)
            )

    def _why(self, ticket: Ticket, entry: Entry, slots: Collection[str]) -> Why:
        verdicts = [one for one in entry.verdicts if one.slot in slots]
        return Why(
            bundle=entry.bundle,
            verdicts=verdicts,
            words=words(self._desk.classifier, clean(ticket), _given(verdicts)),
            similar=[
                Similar(ticket=case.ticket, url=self._link(case), likeness=likeness)
                for case, likeness in alike(self._resolved, ticket.id, entry.vector)
            ],
        )

    def _link(self, case: Case) -> str:
        adapter = self._desk.adapter
        return adapter.link(case.ticket) if isinstance(adapter, Links) else ""

    @cached_property
    def _resolved(self) -> Sequence[Case]:
        return self._store.cases.resolved(self._desk.tenant)


def _given(verdicts: Sequence[Verdict]) -> Mapping[Aspect, str]:
    """Name what the model itself answered: a rule's answer rests on the rule."""
    answers = [one.prediction for one in verdicts if one.prediction.aspect is not Aspect.ASSIGNEE]
    return {one.aspect: label for one in answers if (label := one.said or one.label)}
