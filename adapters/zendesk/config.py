"""The options of a Zendesk desk: the `desk:` section of a tenant file."""

import base64
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from adapters.address import desk_url
from connector.ports import SecretName

PUBLIC_TEST_SECRET = base64.b64encode(b"this_secret_is_for_testing_only").decode()
"""Zendesk signs with this published value before a webhook exists; whoever uses it trusts all."""

SAFETY = 65.0
"""Seconds over which a minute's calls are spread: the desk's minute does not begin with ours."""

LEFT_TO_POLLS = 3
"""Calls a minute: a poll takes one, a busy one two, and a tenant is polled every minute."""

_URL = desk_url("the account's address alone, such as https://acme.zendesk.com")
_ACCOUNT = re.compile(r"[^@\s/:]+@[^@\s/:]+")


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise PydanticCustomError(
            "account", "write the e-mail address of the account that owns the token, without /token"
        )
    return value


class ZendeskDesk(BaseModel):
    """How to reach a Zendesk account and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["zendesk"]
    url: Annotated[str, _URL] = Field(
        description="The account's address, such as https://acme.zendesk.com."
    )
    account: Annotated[str, AfterValidator(_account)] = Field(
        description="E-mail address of the user in whose name triage reads and writes."
    )
    token: SecretName = Field(description="Name of the secret that holds the user's API token.")
    webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the webhook's signing secret; taken from intake.webhook.secret.",
    )
    previous_webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the secret before; taken from intake.webhook.previous_secret.",
    )
    export_calls_per_minute: Annotated[int, Field(ge=1)] = Field(
        default=10,
        description="Calls of the incremental export per minute. Zendesk grants 10 and answers 429 "
        "above, without showing this limit in its headers; 30 with the High Volume add-on.",
    )

    @property
    def export_interval(self) -> float:
        """Seconds between two calls of the incremental export."""
        return SAFETY / self.export_calls_per_minute

    @property
    def past_interval(self) -> float:
        """Seconds between two of them that read the past: some are left to a daemon's polls."""
        return SAFETY / max(self.export_calls_per_minute - LEFT_TO_POLLS, 1)
