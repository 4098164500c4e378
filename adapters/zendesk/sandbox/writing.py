"""The sandbox's writing calls: ticket updates, tags, bulk jobs and webhooks."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import requests

from adapters.zendesk.config import PUBLIC_TEST_SECRET
from adapters.zendesk.mapping import PRIORITIES, STATUSES, TYPES
from adapters.zendesk.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.zendesk.sandbox.hooks import Webhook, Webhooks
from adapters.zendesk.sandbox.reading import ReadingCalls, found, not_found, refuse_too_many, shown
from adapters.zendesk.sandbox.state import TRIAGE_ID, DeskState, Raw
from connector.model import Secret

_PLAIN = frozenset({"subject", "priority", "type", "status", "group_id", "assignee_id"})
_GUARDS = frozenset({"safe_update", "updated_stamp"})
_PERMITTED = _PLAIN | _GUARDS | {"custom_fields", "tags", "comment"}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "priority": PRIORITIES,
    "type": TYPES,
    "status": STATUSES,
}
_JOB_STEPS = ("queued", "working", "completed")


class WritingCalls:
    """Answers that change the desk as the triage account."""

    def __init__(self, state: DeskState, hooks: Webhooks, reading: ReadingCalls) -> None:
        self._state = state
        self._reading = reading
        self._hooks = hooks
        self._jobs: dict[str, tuple[list[Raw], list[str]]] = {}

    def create(self, request: Request) -> Reply:
        """`POST /api/v2/tickets.json`: file a ticket in a requester's name."""
        wanted = _object(request.body, "ticket")
        said = _object(wanted, "comment")
        requester = str((wanted.get("requester") or {}).get("name") or "")
        ticket = self._state.arrive(wanted.get("subject") or "", said["body"], requester)
        self._refuse_invalid(ticket, wanted)
        self._set(ticket, {key: wanted[key] for key in wanted.keys() - {"comment", "requester"}})
        return Reply(status=HTTPStatus.CREATED, body={"ticket": shown(ticket), "audit": {}})

    def delete(self, _request: Request, ticket_id: str) -> Reply:
        """`DELETE /api/v2/tickets/{id}.json`."""
        ticket = found(self._state, ticket_id)
        ticket["status"] = "deleted"
        self._state.touch(ticket)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def update(self, request: Request, ticket_id: str) -> Reply:
        """`PUT /api/v2/tickets/{id}.json`."""
        ticket = found(self._state, ticket_id)
        changes = _object(request.body, "ticket")
        dropped = self._apply(ticket, changes)
        audit = {"id": self._state.new_id(), "ticket_id": ticket["id"], "author_id": TRIAGE_ID}
        body = {"ticket": shown(ticket), "audit": {**audit, "events": []}}
        return Reply(body=body, headers=_warning(dropped, "update"))

    def _apply(self, ticket: Raw, changes: Raw) -> list[str]:
        """Change a ticket and give the keys that were dropped."""
        _refuse_overtaken(ticket, changes)
        self._refuse_invalid(ticket, changes)
        self._set(ticket, changes)
        if "comment" in changes:
            said = changes["comment"]
            author = int(said.get("author_id", TRIAGE_ID))
            public = bool(said.get("public", True))
            self._state.comment(ticket, said.get("body", ""), author=author, public=public)
        self._written(ticket)
        return sorted(changes.keys() - _PERMITTED)

    def _set(self, ticket: Raw, changes: Raw) -> None:
        for key in _PLAIN & changes.keys():
            ticket[key] = changes[key]
        for custom in changes.get("custom_fields") or ():
            self._state.set_custom(ticket, int(custom["id"]), custom["value"])
        if "tags" in changes:
            ticket["tags"] = sorted(set(changes["tags"]))

    def _written(self, ticket: Raw) -> None:
        self._state.touch(ticket)
        self._state.writes[ticket["id"]] = self._state.writes.get(ticket["id"], 0) + 1

    def _refuse_invalid(self, ticket: Raw, changes: Raw) -> None:
        invalid = [
            key
            for key, options in _CHOICES.items()
            if changes.get(key) is not None and changes[key] not in options
        ]
        invalid.extend(
            str(custom["id"])
            for custom in changes.get("custom_fields") or ()
            if not _offered(self._state.options(int(custom["id"])), custom["value"])
        )
        if ticket["status"] == "closed":
            invalid.append("status")
        agent = changes.get("assignee_id")
        group = changes.get("group_id", ticket["group_id"])
        if agent is not None and not self._state.serves(agent, group):
            invalid.append("assignee_id")
        if invalid:
            raise _invalid(invalid)

    def change_tags(self, request: Request, ticket_id: str) -> Reply:
        """`PUT`, `POST` and `DELETE /api/v2/tickets/{id}/tags.json`: add, set, remove."""
        ticket = found(self._state, ticket_id)
        body = request.body if isinstance(request.body, dict) else {}
        _refuse_overtaken(ticket, body)
        named, present = set(body.get("tags") or ()), set(ticket["tags"])
        results = {"PUT": present | named, "POST": named, "DELETE": present - named}
        ticket["tags"] = sorted(results[request.method])
        self._written(ticket)
        return Reply(body={"tags": ticket["tags"]})

    def update_many(self, request: Request) -> Reply:
        """`PUT /api/v2/tickets/update_many.json`: a job that is done after two looks at it."""
        rows = request.body.get("tickets") if isinstance(request.body, dict) else None
        if not isinstance(rows, list):
            raise refusal(HTTPStatus.BAD_REQUEST, "InvalidRequest", "tickets is missing")
        refuse_too_many(rows)
        job = f"V3-{uuid4().hex}"
        self._jobs[job] = ([self._row(row) for row in rows], list(_JOB_STEPS))
        return self.job(request, job)

    def _row(self, row: Raw) -> Raw:
        result = {"id": row["id"], "action": "update", "status": "Updated", "success": True}
        try:
            changes = {key: value for key, value in row.items() if key != "id"}
            self._apply(found(self._state, str(row["id"])), changes)
        except Refusal as refusal:
            error = refusal.reply.body["error"]
            return {**result, "status": "Failed", "success": False, "error": error}
        return result

    def job(self, request: Request, job: str) -> Reply:
        """`GET /api/v2/job_statuses/{id}.json`: queued, working, completed."""
        if job not in self._jobs:
            raise not_found()
        results, steps = self._jobs[job]
        status = steps.pop(0) if len(steps) > 1 else steps[0]
        row = {
            "id": job,
            "url": f"{request.base}/api/v2/job_statuses/{job}.json",
            "total": len(results),
            "progress": len(results) if status == "completed" else None,
            "status": status,
            "message": None,
            "results": results if status == "completed" else None,
        }
        return Reply(body={"job_status": row})

    def change_field(self, request: Request, field_id: str) -> Reply:
        """`PUT /api/v2/ticket_fields/{id}.json`: options that are left out are gone."""
        field = self._reading.found_field(field_id)
        options = _object(request.body, "ticket_field").get("custom_field_options")
        if not field.get("removable") or not isinstance(options, list):
            raise refusal(HTTPStatus.FORBIDDEN, "Forbidden", "You do not have access to this")
        field["custom_field_options"] = [{"name": e["name"], "value": e["value"]} for e in options]
        return Reply(body={"ticket_field": field})

    def webhooks(self, _request: Request) -> Reply:
        """`GET /api/v2/webhooks`."""
        return Reply(body={"webhooks": [_webhook_row(e) for e in self._hooks.registered.values()]})

    def invocations(self, _request: Request, webhook_id: str) -> Reply:
        """`GET /api/v2/webhooks/{id}/invocations`, the newest first."""
        rows = [
            {"id": each.id, "status": each.outcome, "status_code": each.status}
            for each in reversed(self._hooks.invocations)
            if each.webhook == webhook_id
        ]
        return Reply(body={"invocations": rows})

    def create_webhook(self, request: Request) -> Reply:
        """`POST /api/v2/webhooks`."""
        wanted = _object(request.body, "webhook")
        subscriptions = wanted.get("subscriptions") or ["conditional_ticket_events"]
        webhook = Webhook(
            id=uuid4().hex.upper(),
            url=wanted["endpoint"],
            name=wanted.get("name", ""),
            subscription=subscriptions[0],
        )
        self._hooks.register(webhook)
        return Reply(status=HTTPStatus.CREATED, body={"webhook": _webhook_row(webhook)})

    def signing_secret(self, _request: Request, webhook_id: str) -> Reply:
        """`GET /api/v2/webhooks/{id}/signing_secret`."""
        webhook = self._hooks.registered.get(webhook_id)
        if webhook is None:
            raise not_found()
        secret = {"secret": webhook.secret.reveal(), "algorithm": "SHA256"}
        return Reply(body={"signing_secret": secret})

    def test_webhook(self, request: Request) -> Reply:
        """`POST /api/v2/webhooks/test`: sign and call once, give the receiver's answer."""
        wanted = _object(request.body, "request")
        known = self._hooks.registered.get(request.query.get("webhook_id", ""))
        public = Secret(PUBLIC_TEST_SECRET)
        webhook = known or Webhook(id="", url=wanted["endpoint"], secret=public)
        body = str(wanted.get("payload") or json.dumps({"ticket_id": ""})).encode()
        try:
            response = self._hooks.send(webhook, body, uuid4().hex.upper())
        except requests.RequestException:
            raise refusal(HTTPStatus.BAD_REQUEST, "WebhookUnreachable") from None
        answer = {"status": response.status_code, "headers": [], "payload": response.text}
        return Reply(body={"response": answer})


def _object(body: Any, key: str) -> Raw:
    inner = body.get(key) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        raise refusal(HTTPStatus.BAD_REQUEST, "InvalidRequest", f"{key} is missing")
    return inner


def _refuse_overtaken(ticket: Raw, changes: Raw) -> None:
    safe = str(changes.get("safe_update", "")).lower() == "true"
    if safe and changes.get("updated_stamp") != ticket["updated_at"]:
        raise refusal(HTTPStatus.CONFLICT, "UpdateConflict", "The ticket was changed meanwhile")


def _offered(options: frozenset[str] | None, value: object) -> bool:
    if options is None or value is None:
        return True
    return options.issuperset(value if isinstance(value, list) else [value])


def _invalid(fields: Iterable[str]) -> Refusal:
    details = {
        field: [{"description": f"{field}: is not valid", "error": "InvalidValue"}]
        for field in fields
    }
    return refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "RecordInvalid",
        "Record validation errors",
        details=details,
    )


def _warning(dropped: list[str], action: str) -> dict[str, str]:
    if not dropped:
        return {}
    keys = ", ".join(f'"ticket.{key}"' for key in dropped)
    told = f':controller=>"tickets", :action=>"{action}", :unpermitted_keys=>[{keys}]'
    return {"X-Zendesk-API-Warn": f"{{:allowed_parameters=>{{{told}, :invalid_values=>[]}}}}"}


def _webhook_row(webhook: Webhook) -> Raw:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "endpoint": webhook.url,
        "status": "active" if webhook.is_active else "inactive",
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": [webhook.subscription],
    }
