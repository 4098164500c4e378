"""What may go wrong with an instance's own settings: business rules, notifications, the webhook."""

import re
from collections.abc import Collection, Iterator, Sequence

from adapters.inspection import ClockInspection
from adapters.servicenow.client import ServiceNowClient
from adapters.servicenow.config import ServiceNowDesk
from adapters.servicenow.query import Condition, Json, text_of
from connector.errors import ConfigError, Rejected
from connector.inspection import Automation, Level, Remark
from connector.model import TenantId

_RULE = ("name", "when", "action_update", "condition", "filter_condition", "script")
_NOTIFICATION = ("name", "action_update", "condition", "event_name")
_LOOPS = re.compile(r"\bcurrent\s*\.\s*update\s*\(")
_MAILS = re.compile(r"\bgs\s*\.\s*eventQueue\s*\(")


class ServiceNowInspection(ClockInspection):
    """Looks at the business rules and notifications of the table."""

    def __init__(self, client: ServiceNowClient, options: ServiceNowDesk) -> None:
        super().__init__(client.session)
        self._client = client
        self._table = options.table
        self._account = options.account

    def automations(self, fields: Collection[str]) -> Sequence[Automation]:
        """List active rules and notifications that act on our updates as on anybody's."""
        rules, mails = self._rules(), self._rows("sysevent_email_action", _NOTIFICATION)
        found = [
            Automation(kind="business rule", name=text_of(row.get("name")), risk=risk)
            for row in rules
            if self._acts(row)
            for risk in _risks(text_of(row.get("script")), fields)
        ]
        found += [
            Automation(kind="notification", name=text_of(row.get("name")), risk="mails on updates")
            for row in mails
            if self._acts(row)
        ]
        return found

    def _rules(self) -> Sequence[Json]:
        return self._rows("sys_script", _RULE)

    def _rows(self, table: str, fields: Sequence[str]) -> Sequence[Json]:
        """Read what is active for our table; raises `Rejected` where that is hidden from us."""
        where = [Condition("collection", "=", self._table), Condition("active", "=", "true")]
        try:
            rows = list(self._client.rows(table, where, fields))
        except ConfigError:  # a condition on a field that we may not see is not applied
            raise Rejected(f"{table} cannot be read by this account") from None
        if any("name" not in row for row in rows):
            raise Rejected(f"{table} hides its fields from this account")
        return rows

    def _acts(self, row: Json) -> bool:
        """Whether a rule runs for our updates: nothing in its conditions names the account."""
        told = " ".join(
            text_of(row.get(name)) for name in ("condition", "filter_condition", "script")
        )
        return text_of(row.get("action_update")) == "true" and self._account not in told

    def webhook(self, tenant: TenantId) -> Iterator[Remark]:
        """Look for the business rule that calls us; its secret lies where we cannot look."""
        path = f"/hooks/{tenant}"
        named = [row for row in self._rules() if path in text_of(row.get("script"))]
        names = ", ".join(repr(text_of(row.get("name"))) for row in named)
        if names:
            yield Remark(
                level=Level.OK,
                text=f"business rule {names} calls {path}; whether its secret is ours, the first"
                " call shows (`webhook_refused` in the log if not)",
            )
        else:
            yield Remark(
                level=Level.WARNING,
                text=f"no active business rule of {self._table} has {path} in its script: changes"
                " are found by polls alone; the how-to has a rule to copy",
            )


def _risks(script: str, fields: Collection[str]) -> Iterator[str]:
    """Yield what a script does that concerns us, as far as its words show."""
    if _LOOPS.search(script):
        yield "calls current.update(), so that each write is changed once more"
    if _MAILS.search(script):
        yield "queues an event, which may mail"
    for name in sorted(fields):
        column = re.escape(name)
        sets = rf"\bcurrent\s*\.\s*(?:{column}\s*=[^=]|setValue\(\s*['\"]{column}['\"])"
        if re.search(sets, script):
            yield f"sets {name}, which triage sets too"
