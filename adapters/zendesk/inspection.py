"""What may go wrong with an account's own settings: rules that mail or interfere, the webhook."""

import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from adapters.inspection import ClockInspection
from adapters.zendesk import mapping
from adapters.zendesk.client import ZendeskClient
from adapters.zendesk.mapping import Json
from connector.errors import Rejected
from connector.inspection import Automation, Level, Remark
from connector.model import Secret, TenantId

_SPEAKING = ("notification_webhook", "notification_target")


class ZendeskInspection(ClockInspection):
    """Looks at triggers, automations, webhooks, and adds options to drop-downs."""

    def __init__(self, client: ZendeskClient, hooks: Sequence[Secret]) -> None:
        super().__init__(client.session)
        self._client = client
        self._hooks = hooks

    def automations(self, fields: Collection[str]) -> Sequence[Automation]:
        """List active triggers and automations that mail, call out, or set a field of ours."""
        account = mapping.id_of(self._client.me().get("id"))
        kinds = {
            "trigger": self._client.active_triggers(),
            "automation": self._client.active_automations(),
        }
        return [
            Automation(kind=kind, name=str(rule.get("title") or ""), risk=risk)
            for kind, rules in kinds.items()
            for rule in rules
            for risk in risks_of(rule, account, fields)
        ]

    def webhook(self, tenant: TenantId) -> Iterator[Remark]:
        """Look at the webhook whose address is this tenant's."""
        path = f"/hooks/{tenant}"
        rows = self._client.webhooks()
        ours = [row for row in rows if urlsplit(str(row.get("endpoint"))).path.endswith(path)]
        if not ours:
            yield Remark(
                level=Level.WARNING,
                text=f"no webhook of the account ends in {path}: changes are found by polls alone;"
                " create one under Admin Center, Apps and integrations, Webhooks",
            )
        for row in ours:
            yield self._remark(row)

    def _remark(self, row: Json) -> Remark:
        name, number = f"webhook {row.get('name')!r}", str(row.get("id"))
        if row.get("status", "active") != "active":
            return Remark(level=Level.ERROR, text=f"{name} is switched off: activate it")
        if not self._is_ours(self._client.signing_secret(number)):
            return Remark(
                level=Level.ERROR,
                text=f"{name} signs with another secret than intake.webhook.secret, so every call"
                " is refused: store the webhook's signing secret under that name",
            )
        last = self._client.last_invocation(number)
        status = "" if last is None else str(last.get("status") or "")
        if last is None:
            text = f"{name} is active and signs with our secret; it has not been called yet"
            return Remark(level=Level.OK, text=text)
        if status != "success":
            return Remark(
                level=Level.WARNING,
                text=f"{name}: its last call ended as {status!r}: is the daemon running, and does"
                " its address lead to it?",
            )
        text = f"{name} is active, signs with our secret, and its last call was heard"
        return Remark(level=Level.OK, text=text)

    def _is_ours(self, secret: str) -> bool:
        return any(
            hmac.compare_digest(secret.encode(), known.reveal().encode()) for known in self._hooks
        )

    def add_options(self, field: str, options: Sequence[str]) -> None:
        """Add options to a drop-down; all that it has are sent with them, or they would be lost."""
        row = self._client.ticket_field(field)
        present = [dict(each) for each in row.get("custom_field_options") or ()]
        known = {each.get("value") for each in present}
        new = [
            {"name": each.replace("_", " ").capitalize(), "value": each}
            for each in options
            if each not in known
        ]
        after = self._client.set_field_options(field, [*present, *new])
        there = {each.get("value") for each in after.get("custom_field_options") or ()}
        missing = [each for each in options if each not in there]
        if missing:
            raise Rejected(f"field {field}: the desk did not take {', '.join(missing)}")


def risks_of(rule: Json, account: str, fields: Collection[str]) -> Iterator[str]:
    """Yield what a trigger or automation may do to or after our writes."""
    if mapping.is_spared(rule, account):
        return
    actions: Sequence[Mapping[str, object]] = rule.get("actions") or ()
    if mapping.mails_on_change(rule, account):
        yield "may mail requesters when triage sets a field"
    if any(action.get("field") in _SPEAKING for action in actions):
        yield "calls a webhook or target for our changes too, and may come back to us"
    for action in actions:
        name = str(action.get("field") or "").removeprefix("custom_fields_")
        name = {"assignee_id": mapping.ASSIGNEE, "group_id": mapping.GROUP}.get(name, name)
        if name in fields:
            yield f"sets {name}, which triage sets too"
