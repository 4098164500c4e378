"""The sandbox's writing calls: tickets filed, answered, changed, merged and deleted."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from adapters.rt.sandbox.exchange import Reply, Request, refusal
from adapters.rt.sandbox.hooks import Scrip
from adapters.rt.sandbox.reading import ReadingCalls
from adapters.rt.sandbox.state import (
    ACCOUNT,
    ADMINISTRATOR,
    NOBODY,
    STATUSES,
    DeskState,
    Field,
    Filed,
    field_named,
)

LABELS: Mapping[str, int] = {"Low": 0, "Medium": 50, "High": 100}
"""The names of priorities that RT comes with; any other word counts as 0."""


class WritingCalls:
    """Answers that change the desk as whoever calls; an update always answers 200."""

    def __init__(self, state: DeskState, reading: ReadingCalls, scrip: Scrip) -> None:
        self._state = state
        self._reading = reading
        self._scrip = scrip

    def create(self, request: Request, who: str) -> Reply:
        """`POST /ticket`."""
        told = request.body
        requestors = told.get("Requestor") or ()
        names = (requestors,) if isinstance(requestors, str) else tuple(requestors)
        ticket = self._state.arrive(
            str(told.get("Subject") or ""),
            str(told.get("Content") or ""),
            by=who,
            requestors=tuple(name.partition("@")[0] for name in names),
        )
        self._scrip.run(ticket)
        url = f"{request.base}/REST/2.0/ticket/{ticket.id}"
        body = {"type": "ticket", "id": str(ticket.id), "_url": url}
        return Reply(status=HTTPStatus.CREATED, body=body)

    def say(self, request: Request, who: str, ticket_id: str, kind: str) -> Reply:
        """`POST /ticket/{id}/correspond` and `…/comment`."""
        ticket = self._reading.found(ticket_id)
        if not request.body.get("ContentType"):
            raise refusal(
                HTTPStatus.BAD_REQUEST, "ContentType is a required field for application/json"
            )
        row = self._state.note(ticket, kind.capitalize(), who)
        self._state.attach(row, request.body["Content"], request.body["ContentType"])
        self._scrip.run(ticket)
        return Reply(status=HTTPStatus.CREATED, body=["Message recorded"])

    def delete(self, _request: Request, who: str, ticket_id: str) -> Reply:
        """`DELETE /ticket/{id}`: RT stumbles where the right is missing."""
        ticket = self._reading.found(ticket_id)
        if who != ADMINISTRATOR:
            raise refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._set_status(ticket, "deleted", who)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def update(self, request: Request, who: str, ticket_id: str) -> Reply:
        """`PUT /ticket/{id}`: what is refused is told among the messages, the rest is done."""
        ticket = self._reading.found(ticket_id)
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted != self._reading.tag(ticket, who):
            raise refusal(HTTPStatus.PRECONDITION_FAILED)
        before = self._reading.tag(ticket, ADMINISTRATOR)
        messages = list(self._changes(ticket, request.body, who))
        if who == ACCOUNT and self._reading.tag(ticket, ADMINISTRATOR) != before:
            self._state.writes[ticket.id] = self._state.writes.get(ticket.id, 0) + 1
        return Reply(body=messages)

    def _changes(self, ticket: Filed, told: Mapping[str, Any], who: str) -> Iterator[str]:
        own = {
            "Priority": self._set_priority,
            "Owner": self._set_owner,
            "Status": self._set_status,
            "Queue": self._set_queue,
        }
        for name, change in own.items():
            if name in told:
                message = self._denied("ModifyTicket", who) or change(ticket, told[name], who)
                yield from (f"Ticket {ticket.id}: {message}" for _ in (message,) if message)
        if "Subject" in told and told["Subject"] != ticket.subject:
            old, ticket.subject = ticket.subject, str(told["Subject"])
            self._state.note(
                ticket, "Set", who, Field="Subject", OldValue=old, NewValue=ticket.subject
            )
            yield f"Ticket {ticket.id}: Subject changed from '{old}' to '{ticket.subject}'"
        for key, value in (told.get("CustomFields") or {}).items():
            field = field_named(str(key))
            if field is not None:  # RT says nothing about a field that it does not know
                yield from self._set_custom(ticket, field, value, who)
        if "MergeInto" in told:
            ticket.merged_into = int(told["MergeInto"])
            for each in (ticket, self._reading.found(str(told["MergeInto"]))):
                self._state.note(each, "AddLink", who)
            yield "Merge Successful"

    def _denied(self, right: str, who: str) -> str:
        denied = who == ACCOUNT and right not in self._state.rights
        return "Permission Denied" if denied else ""

    def _set_priority(self, ticket: Filed, value: object, who: str) -> str:
        word = str(value)
        number = int(word) if word.lstrip("-").isdecimal() else LABELS.get(word, 0)
        if number == ticket.priority:
            return ""
        old, ticket.priority = ticket.priority, number
        self._state.note(
            ticket, "Set", who, Field="Priority", OldValue=str(old), NewValue=str(number)
        )
        return f"Priority changed from '{_label(old)}' to '{_label(number)}'"

    def _set_owner(self, ticket: Filed, value: object, who: str) -> str:
        name = str(value)
        if name not in {*self._state.users, NOBODY}:
            return "That user does not exist"
        if name == ticket.owner:
            return ""
        if ticket.owner not in {NOBODY, who} and who != ADMINISTRATOR:
            return "You can only reassign tickets that you own or that are unowned"
        if not self._state.may_own(name, ticket.queue):
            return "That user may not own tickets in that queue"
        old, ticket.owner = ticket.owner, name
        self._state.note(ticket, "SetWatcher", who, Field="Owner")
        self._state.note(ticket, "Set", who, Field="Owner", OldValue=old, NewValue=name)
        return f"Owner changed from {old} to {name}"

    def _set_status(self, ticket: Filed, value: object, who: str) -> str:
        status = str(value)
        if status not in {*STATUSES, "deleted"}:
            return f"Status '{status}' isn't a valid status for this ticket."
        if status == ticket.status:
            return ""
        old, ticket.status = ticket.status, status
        self._state.note(ticket, "Status", who, Field="Status", OldValue=old, NewValue=status)
        return f"Status changed from '{old}' to '{status}'"

    def _set_queue(self, ticket: Filed, value: object, who: str) -> str:
        try:
            number = self._state.queue_id(str(value))
        except KeyError:
            return f"Queue {value} does not exist"
        if number == ticket.queue:
            return ""
        ticket.queue = number
        self._state.note(ticket, "Set", who, Field="Queue", NewValue=str(number))
        return f"Queue changed to {self._state.queues[number]}"

    def _set_custom(self, ticket: Filed, field: Field, value: Any, who: str) -> Iterator[str]:
        """Set a field as RT does, its oddity included: emptied twice, it holds an empty value."""
        held = self._state.values(ticket, field)
        wanted = value if isinstance(value, list) else [value]
        if not field.multiple:
            wanted = wanted[:1]
        if wanted == held:
            return
        denied = self._denied("ModifyCustomField", who)
        if denied:
            yield denied
            return
        invalid = field.options and [each for each in wanted if each and each not in field.options]
        if invalid:
            yield "Invalid value for custom field"
            return
        emptied = not field.multiple and wanted == [None] and bool(held and held[0])
        ticket.values[field.id] = [] if emptied else list(wanted)
        moved = len({*held} ^ {*wanted}) if field.multiple else 1
        for _ in range(moved):
            self._state.note(ticket, "CustomField", who, Field=str(field.id))
        if emptied:
            yield f"{held[0]} is no longer a value for custom field {field.name}"
        else:
            yield f"{field.name} {', '.join(str(each or '') for each in wanted)} added"


def _label(number: int) -> str:
    return max((each for each in LABELS.items() if each[1] <= number), key=lambda each: each[1])[0]
