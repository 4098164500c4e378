"""The options of a ServiceNow desk: the `desk:` section of a tenant file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from adapters.address import desk_url
from connector.ports import SecretName

CREDENTIALS = ("password", "client_id", "api_key", "certificate")
"""The options that each choose a way to sign in: exactly one of them is given."""

_URL = desk_url("the instance's address alone, such as https://acme.service-now.com")
_ACCOUNT = re.compile(r"[^\s^:/]+")
_NAME = r"^[a-z][a-z0-9_]{0,79}$"
_PATH = r"^[a-z][a-z0-9_]{0,79}(\.[a-z][a-z0-9_]{0,79})?$"

Pair = Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a table means by its states, who asks in it, and how its priority comes about."""

    requester: str = "opened_by"
    resolved: tuple[str, ...] = ("3", "4", "7")
    deleted: tuple[str, ...] = ()
    lookup: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))


LOOKUP: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"1": (1, 1), "2": (2, 1), "3": (2, 2), "4": (3, 2), "5": (3, 3)}
)
"""Impact and urgency whose product, in the lookup rules that an instance comes with, is each
priority. Urgency goes before impact: a text tells how urgent a matter is to its writer, and less of
how many others it concerns."""

_BY_TABLE: Mapping[str, Habits] = MappingProxyType(
    {
        "incident": Habits(
            requester="caller_id", resolved=("6", "7"), deleted=("8",), lookup=LOOKUP
        ),
        "sc_req_item": Habits(requester="request.requested_for"),
        "sn_customerservice_case": Habits(requester="contact", resolved=("3", "6"), deleted=("7",)),
    }
)
"""The tables that an instance comes with; what an organisation changed is told by the options."""


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise PydanticCustomError(
            "account", "write the user name (user_name of sys_user) of the integration user"
        )
    return value


class ServiceNowDesk(BaseModel):
    """How to reach a ServiceNow instance, as whom, and which of its tables holds the tickets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["servicenow"]
    url: Annotated[str, _URL] = Field(
        description="The instance's address, such as https://acme.service-now.com."
    )
    account: Annotated[str, AfterValidator(_account)] = Field(
        description="User name of the integration user, in whose name triage reads and writes; "
        "needed with every way to sign in."
    )
    password: SecretName | None = Field(
        default=None,
        description="Name of the secret that holds the account's password (Basic). One of "
        "`password`, `client_id`, `api_key` and `certificate` is given.",
    )
    client_id: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="Client id of an OAuth application whose client credentials act as the "
        "account; goes with `client_secret`.",
    )
    client_secret: SecretName | None = Field(
        default=None, description="Name of the secret that holds the OAuth client's secret."
    )
    api_key: SecretName | None = Field(
        default=None, description="Name of the secret that holds a REST API key of the account."
    )
    certificate: Path | None = Field(
        default=None,
        description="PEM file with a client certificate that is mapped to the account, and its "
        "key without a passphrase (mutual TLS).",
    )
    table: Annotated[str, Field(pattern=_NAME)] = Field(
        default="incident", description="The table whose rows are the tickets."
    )
    requester_field: Annotated[str, Field(pattern=_PATH)] | None = Field(
        default=None,
        description="The reference to the user who asks, or a way to it over one dot. `caller_id` "
        "for incidents, `request.requested_for` for requested items, `contact` for customer "
        "service cases, `opened_by` for any other table.",
    )
    resolved_states: tuple[str, ...] | None = Field(
        default=None,
        description="Values of `state` that mean resolved. 6 and 7 for incidents, 3, 4 and 7 for "
        "requested items, 3 and 6 for cases, 3, 4 and 7 otherwise; a row that is not active is "
        "resolved too.",
    )
    deleted_states: tuple[str, ...] | None = Field(
        default=None,
        description="Values of `state` that mean that the ticket counts no more: 8 for incidents, "
        "7 for cases (cancelled), none otherwise.",
    )
    tags_field: Annotated[str, Field(pattern=_NAME)] | None = Field(
        default=None,
        description="A text field of your own that holds tags, separated by commas. Without it "
        "there are no tags, and no aspect can be in the mode `suggest`.",
    )
    priority_lookup: dict[str, Pair] | None = Field(
        default=None,
        description="Impact and urgency that are written for each priority, where the instance "
        "derives it. Incidents: 1: [1, 1], 2: [2, 1], 3: [2, 2], 4: [3, 2], 5: [3, 3]. `{}`, the "
        "default of other tables, writes the priority itself.",
    )
    rule_updates: Annotated[int, Field(ge=0, le=9)] = Field(
        default=0,
        description="Further updates that your business rules make of each change within the same "
        "call. A row that moved by more than that was changed by somebody else too.",
    )
    overlap: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=120,
        description="Seconds before the newest known change that each poll reads again: a slow "
        "transaction shows its rows only when it ends, with the time at which it began.",
    )
    webhook_check: Literal["signature", "secret"] = Field(
        default="signature",
        description="How webhook calls prove themselves: signed, or carrying the secret itself "
        "where the instance's scripts cannot sign.",
    )
    webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the webhook's secret; taken from intake.webhook.secret.",
    )
    previous_webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the secret before; taken from intake.webhook.previous_secret.",
    )

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in CREDENTIALS if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "credential",
                "give exactly one of password, client_id (with client_secret), api_key and "
                "certificate; found {found}",
                {"found": ", ".join(given) or "none"},
            )
        if (self.client_id is None) != (self.client_secret is None):
            raise PydanticCustomError(
                "credential", "client_id and client_secret go together; give both or neither"
            )
        return self

    @property
    def habits(self) -> Habits:
        """Give what the table means, by the options where they say so."""
        usual = _BY_TABLE.get(self.table, Habits())
        return Habits(
            requester=self.requester_field or usual.requester,
            resolved=_told(self.resolved_states, usual.resolved),
            deleted=_told(self.deleted_states, usual.deleted),
            lookup=usual.lookup if self.priority_lookup is None else self.priority_lookup,
        )


def _told(states: tuple[str, ...] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if states is None else states
