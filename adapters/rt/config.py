"""The options of a Request Tracker desk: the `desk:` section of a tenant file."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from adapters.address import based_url
from connector.ports import SecretName

_URL = based_url(
    "the address at which people open Request Tracker, such as https://rt.acme.example or "
    "https://acme.example/rt",
    re.compile(r"(/(?!REST)[\w.~-]+)*", re.ASCII),
)


def _priorities(value: dict[str, int]) -> dict[str, int]:
    if len(set(value.values())) < len(value):
        raise PydanticCustomError("priorities", "give each name a number of its own")
    return value


class RequestTrackerDesk(BaseModel):
    """How to reach a Request Tracker 5 and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["rt"]
    url: Annotated[str, _URL] = Field(
        description="The address at which people open Request Tracker, such as "
        "https://rt.acme.example or https://acme.example/rt."
    )
    account: str = Field(
        min_length=1, description="Name of the user as whom triage reads and writes."
    )
    token: SecretName | None = Field(
        default=None,
        description="Name of the secret that holds an auth token of that user. Either this or "
        "`password`.",
    )
    password: SecretName | None = Field(
        default=None,
        description="Name of the secret that holds that user's password, for a Request Tracker on "
        "which tokens are switched off.",
    )
    webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the webhook's signing secret; taken from intake.webhook.secret.",
    )
    previous_webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the secret before; taken from intake.webhook.previous_secret.",
    )
    priorities: Annotated[dict[str, int], AfterValidator(_priorities), Field(min_length=1)] = Field(
        default_factory=lambda: {"low": 10, "normal": 50, "high": 100, "urgent": 200},
        description="The number that is written for each priority. A ticket's number counts as the "
        "name with the highest number that does not exceed it, and 0 as none. The default fits "
        "the labels that Request Tracker comes with: Low from 0, Medium from 50, High from 100.",
    )
    tags_field: str | None = Field(
        default=None,
        description="Name or number of a custom field of the type `Enter multiple values`, which "
        "stands for tags. Without it nothing can be suggested: Request Tracker has no tags.",
    )
    teams: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Who works on a queue: names of users by the queue's name. A queue that is "
        "left out is served by its AdminCc.",
    )

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.password is None):
            raise PydanticCustomError("credential", "write either `token` or `password`")
        return self
