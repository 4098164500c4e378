"""The options of a desk behind any REST API: the `desk:` section of a tenant file."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from adapters.rest.fields import FieldOptions, Listed, StaffOptions, TagsOptions
from adapters.rest.forms import (
    DeskUrl,
    HeaderName,
    Part,
    PathWithId,
    PlainPath,
    Pointer,
    Query,
    Template,
    WebUrl,
)
from adapters.rest.template import names_in
from connector.ports import SecretName

Seen = ValidationInfo
"""What was validated before: `data` lacks what was wrong by itself."""


def _no_key_in_addresses(value: object) -> object:
    if value in {"query", "url", "parameter"}:
        raise PydanticCustomError(
            "key_in_address",
            "a key in the address would stand in every log between here and the desk, so it is not "
            "offered; write bearer, basic or header",
        )
    return value


class AuthOptions(Part):
    """How the desk knows us."""

    kind: Annotated[Literal["bearer", "basic", "header"], BeforeValidator(_no_key_in_addresses)]
    """`bearer` sends the key in `Authorization`, `basic` as name and password, `header` in a header
    of the desk's own."""
    prefix: str = Field(default="Bearer ", pattern=r"^[ -~]*$")
    """What stands before the key with `bearer`, its blank included: `Token token=` for some."""
    header: HeaderName = "X-API-Key"
    """The header that carries the key with `header`."""
    key_as: Literal["password", "user"] = "password"
    """With `basic`: whether the key is the account's password, or the name beside an `X`."""


class IdentityOptions(Part):
    """The call that tells who we are: a wrong key can be answered 200 with an empty list."""

    path: PlainPath
    """A path that answers only whoever is signed in, such as `/users/me`."""
    account: Pointer
    """Where the answer has the account, which must be what `account` says."""
    name: Pointer | None = None
    """Where the answer has the account's name for people."""


class PagesOptions(Part):
    """How long lists come in pieces."""

    by: Literal["none", "number", "offset", "cursor", "next", "link"] = "none"
    """`number` and `offset` count pages or rows in a parameter; `cursor` sends back a text that the
    answer has under `pointer`; `next` follows an address there, `link` one in the header `Link`. An
    address at another host than the desk's is refused."""
    parameter: str | None = Field(default=None, min_length=1)
    """The query parameter that takes the number, the offset or the cursor."""
    first: int = Field(default=1, ge=0, le=1)
    """The number of the first page."""
    pointer: Pointer | None = None
    """Where an answer has the next cursor or the next address; nothing there means the end."""
    size_parameter: str | None = Field(default=None, min_length=1)
    """The query parameter that takes the number of rows, where there is one."""
    size: int = Field(default=100, ge=1, le=1000)
    """Rows of a page: what is asked for, or what the desk gives."""
    end: Literal["empty", "short"] = "empty"
    """What ends a walk by `number` or `offset`: an empty page, or already one with less than `size`
    rows. `short` saves a call, and loses tickets on a desk that gives fewer rows than it is asked
    for, or leaves out what we may not see."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.by in {"number", "offset", "cursor"} and self.parameter is None:
            raise PydanticCustomError("pages", "`by` needs `parameter`, the query's name for it")
        if self.by in {"next", "cursor"} and self.pointer is None:
            raise PydanticCustomError("pages", "`by` needs `pointer`, the way to it in an answer")
        return self


class TicketsOptions(Listed):
    """The list of tickets."""

    complete: bool = False
    """Whether a row holds all that the ticket alone does: a history then takes no call for each."""


class ChangesOptions(Part):
    """How new and changed tickets are found in the list."""

    by: Literal["updated", "id"]
    """`updated`: by the time of the last change. `id`: only new tickets, by the highest number
    seen, where the list has no such time, no filter or no order; later changes then come by
    webhook."""
    order: Literal["ascending", "descending", "none"] = "ascending"
    """The order of the list by that time or number, which its `query` asks for. `none` reads the
    whole list at each poll and goes with `by: id` only."""
    parameter: str | None = Field(default=None, min_length=1)
    """The query parameter that leaves out what has not changed since a time. Needed with
    `by: updated` in ascending order."""
    format: str = Field(default="%Y-%m-%dT%H:%M:%SZ", min_length=1)
    """How that time is written (UTC): as by strftime, or `unix` for seconds since 1970."""
    overlap: int = Field(default=120, ge=1, le=86400)
    """Seconds before the newest known change that each poll reads again: slow transactions and
    search indices show a ticket later than the time it bears."""
    slack: int = Field(default=2, ge=0, le=172800)
    """Seconds by which the filter may let older tickets through: 86400 for one that knows whole
    days only. Older ones yet mean that the desk ignores the parameter, and the tenant pauses."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.by == "updated" and self.order == "none":
            raise PydanticCustomError(
                "changes", "`by: updated` needs a list in `ascending` or `descending` order"
            )
        if self.by == "updated" and self.order == "ascending" and self.parameter is None:
            raise PydanticCustomError(
                "changes",
                "in ascending order every poll would begin with the oldest ticket: name the filter "
                "in `parameter`, or have the list in descending order",
            )
        return self


class TicketOptions(Part):
    """One ticket: where it is, and where in it things are.

    Pointers count from the ticket itself, in the list as well as alone.
    """

    path: PathWithId
    """Where one ticket is read; `{id}` stands for its id."""
    item: Pointer = ""
    """Where the answer of `path` has the ticket."""
    id: Pointer
    """The ticket's id, a text or a number; letters, digits and `.` `:` `~` `_` `-` only."""
    subject: Pointer
    """Its subject, as text."""
    body: Pointer | None = None
    """The text as filed, plain or HTML. Left out where the first of the messages is that text."""
    requester: Pointer | None = None
    """Who asks, in the form in which a message names its author."""
    created: Pointer
    """ISO 8601, or seconds or milliseconds since 1970. A time without a zone counts as UTC."""
    updated: Pointer | None = None
    """When the ticket changed last; needed with `changes.by: updated`."""
    revision: Pointer | None = None
    """A number that each change raises, where there is one."""
    status: Pointer
    """Where it stands, in the desk's own words or numbers."""
    resolved: tuple[str, ...] = Field(min_length=1)
    """The values of `status` that mean resolved."""
    deleted: tuple[str, ...] = ()
    """The values of `status` that mean deleted, or spam."""
    group: Pointer | None = None
    """The id of the assignment group."""
    assignee: Pointer | None = None
    """The id of whoever works on it."""
    web: WebUrl | None = None
    """The address of a ticket for people; `{id}` stands for its id."""


class MessagesOptions(Part):
    """What was said on a ticket after it was filed."""

    path: PathWithId | None = None
    """Where they are read; left out where the ticket itself has them."""
    items: Pointer
    """Where the answer, or the ticket, has the list."""
    query: Query = Field(default_factory=dict)
    """Parameters of that call."""
    id: Pointer
    """The message's id."""
    body: Pointer
    """What it says, plain or HTML."""
    author: Pointer
    """Who wrote it, in the form of `ticket.requester`."""
    created: Pointer | None = None
    """The message's time, which puts them in order. Without it the order of the list counts."""
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    """The order of the list."""
    public: Pointer | None = None
    """A flag that only messages have which the requester can see."""
    private: Pointer | None = None
    """The opposite: a flag of messages that the requester cannot see."""
    first_is_body: bool = False
    """Whether the oldest message is the ticket's own text."""


class WriteOptions(Part):
    """How values are set: one call for all of them, read back afterwards."""

    method: Literal["PATCH", "PUT", "POST"] = "PATCH"
    """The method of the call, which must leave alone what its body does not name."""
    path: PathWithId | None = None
    """Where the call goes, if not to `ticket.path`."""
    body: Template = Field(default_factory=dict)
    """What each call's body holds in any case; `{id}` and `{revision}` are filled in."""
    field: Template | None = None
    """The piece of the body for one field, put together for all: `{field}` is the field's name
    there and `{value}` its value. Without it, the value goes where `at` of the field finds it."""
    condition: Literal["none", "etag", "revision"] = "none"
    """What makes the desk refuse a write that would come too late, with 409 or 412: `If-Match` with
    the ticket's `ETag`, or `{revision}` in the body. `none`: the ticket is read just before."""


class WebhookOptions(Part):
    """How the desk's calls prove themselves, by a secret of `intake`, and what they say."""

    check: Literal["signature", "secret"] = "signature"
    """`signature`: HMAC over the body. `secret`: a header carries the secret itself."""
    header: HeaderName
    """The header with the signature or the secret."""
    prefix: str = Field(default="", pattern=r"^[ -~]*$")
    """What stands before it in the header, such as `sha256=`."""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    """The hash of the HMAC."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    signed: str = Field(default="{body}", min_length=1)
    """What is signed: `{body}` and, where the desk signs one, `{timestamp}`, with what stands
    between them, such as `{timestamp}.{body}`."""
    timestamp_header: HeaderName | None = None
    """The header with the time of the call, as a Unix time or in ISO 8601."""
    delivery_header: HeaderName | None = None
    """A header that is the same over the desk's own retries and another otherwise."""
    ticket: Pointer
    """Where the body has the ticket's id."""
    time: Pointer | None = None
    """Where the body has the time of the call."""
    delivery: Pointer | None = None
    """Where the body has what `delivery_header` would carry."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        names = names_in(self.signed)
        if names.count("body") != 1 or set(names) - {"body", "timestamp"}:
            raise PydanticCustomError(
                "signed",
                "`signed` has {body} once and may have {timestamp}, and no other placeholder",
                {"body": "{body}", "timestamp": "{timestamp}"},
            )
        if "timestamp" in names and self.timestamp_header is None:
            raise PydanticCustomError("signed", "`signed` needs `timestamp_header`")
        told = (self.timestamp_header, self.time, self.delivery_header, self.delivery)
        if all(each is None for each in told):
            raise PydanticCustomError(
                "delivery",
                "two calls for the same ticket would look alike, and the second be dropped: name "
                "one of timestamp_header, time, delivery_header and delivery",
            )
        return self


class RestDesk(Part):
    """How to reach a desk that has no adapter of its own, and where its API has what."""

    platform: Literal["rest"]
    url: DeskUrl
    """The address that all paths follow, such as https://desk.acme.example/api/v2."""
    account: str = Field(min_length=1)
    """Who the desk must say that we are, as `identity.account` finds it; the name of `basic`."""
    key: SecretName
    """Name of the secret that holds the API key, token or password."""
    auth: AuthOptions
    identity: IdentityOptions
    pages: PagesOptions = PagesOptions()
    tickets: TicketsOptions
    changes: ChangesOptions
    messages: MessagesOptions | None = None
    ticket: TicketOptions
    fields: dict[str, FieldOptions] = Field(min_length=1)
    """What tenants may map, by names of your choice."""
    tags: TagsOptions | None = None
    staff: StaffOptions | None = None
    write: WriteOptions
    webhook: WebhookOptions | None = None
    webhook_secret: SecretName | None = None
    """Name of the webhook's secret; taken from intake.webhook.secret."""
    previous_webhook_secret: SecretName | None = None
    """Name of the secret before; taken from intake.webhook.previous_secret."""

    @field_validator("changes")
    @classmethod
    def _can_be_read_from_its_end(cls, changes: ChangesOptions, info: Seen) -> ChangesOptions:
        pages = info.data.get("pages")
        backwards = changes.by == "id" and changes.order == "ascending"
        if backwards and pages is not None and pages.by in {"cursor", "next", "link"}:
            raise PydanticCustomError(
                "changes",
                "an ascending list is read from its end, which needs `pages.by` number or offset; "
                "have the list in descending order, or write `order: none`",
            )
        return changes

    @field_validator("ticket")
    @classmethod
    def _has_what_others_need(cls, ticket: TicketOptions, info: Seen) -> TicketOptions:
        changes, messages = info.data.get("changes"), info.data.get("messages")
        if changes is not None and changes.by == "updated" and ticket.updated is None:
            raise PydanticCustomError("ticket", "`changes.by: updated` needs `updated` here")
        if ticket.body is None and not (messages is not None and messages.first_is_body):
            raise PydanticCustomError(
                "ticket", "`body` is missing: name it, or `messages` with `first_is_body: true`"
            )
        return ticket

    @field_validator("write")
    @classmethod
    def _says_how(cls, write: WriteOptions, info: Seen) -> WriteOptions:
        ticket, fields = info.data.get("ticket"), info.data.get("fields", {})
        told = "revision" in names_in(write.body)
        if ticket and write.condition == "revision" and not (told and ticket.revision is not None):
            raise PydanticCustomError(
                "write",
                "`condition: revision` needs `ticket.revision`, and {revision} in `body` here",
                {"revision": "{revision}"},
            )
        for name, field in fields.items():
            if field.where and field.write is None and write.field is None:
                raise PydanticCustomError(
                    "write",
                    "`fields.{name}` is found by `where`, so say how it is written: there in "
                    "`write`, or for all fields in `field` here",
                    {"name": name},
                )
        return write

    @field_validator("webhook_secret")
    @classmethod
    def _is_used(cls, secret: str | None, info: Seen) -> str | None:
        if secret is not None and "webhook" in info.data and info.data["webhook"] is None:
            raise PydanticCustomError(
                "webhook",
                "`intake.webhook` needs `desk.webhook`: how the desk's calls prove themselves",
            )
        return secret
