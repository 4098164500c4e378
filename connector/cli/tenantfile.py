"""The text of a first configuration: every key with its reason, as a person would write it."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from connector.cli.proposal import Proposal, left_out
from connector.model import Aspect, Mode

WIDTH = 96

_PLAIN = re.compile(r"[A-Za-z_/][\w@./+-]*|secret:[\w.-]+|https?://[\w./:-]+")
_MEANT_OTHERWISE = {"true", "false", "null", "yes", "no", "on", "off", "~"}

DAEMON = """\
# The daemon's own settings, written by `triaged init`. Every key may be left out.
# After a change: triaged check, then restart the service.

# The daemon's own directory: database, promoted models. Its user alone may look into it.
state: {state}

# One file per tenant, relative to this file.
tenants: tenants/*.yaml

web:
  # Webhooks, health and metrics. Loopback: let a reverse proxy with TLS forward /hooks/ alone.
  listen: 127.0.0.1:8470
"""


def daemon_text(state: str) -> str:
    """Give the text of `triaged.yaml`."""
    return DAEMON.format(state=quoted(state))


def tenant_text(
    *,
    name: str,
    desk: Mapping[str, str],
    platform: str,
    proposals: Mapping[Aspect, Proposal | None],
    modes: Mapping[Aspect, Mode],
) -> str:
    """Give the text of a tenant's file."""
    parts = [*_desk(name, desk, platform), *_intake(name, platform)]
    parts.append("# Four questions. `shadow` is recorded only, `suggest` shows an internal tag,")
    parts.append("# `auto` writes the field, `off` asks nothing. Begin with shadow.")
    parts.append("aspects:")
    for aspect, proposal in proposals.items():
        if proposal is None:
            parts += [f"  # {line}" for line in _wrapped(" ".join(left_out(aspect)))]
        else:
            parts += _aspect(proposal, modes[aspect])
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def _desk(name: str, desk: Mapping[str, str], platform: str) -> Iterator[str]:
    yield "# One tenant: one desk and how it is triaged. Written by `triaged init`; yours to edit."
    yield "# After a change: triaged check --online, then restart the service."
    yield ""
    yield "# The name in addresses, logs and counts. The stored work belongs to it: it stays."
    yield f"tenant: {quoted(name)}"
    yield ""
    yield "desk:"
    yield f"  platform: {quoted(platform)}"
    for key, value in desk.items():
        if value.startswith("secret:"):
            yield "  # A name. The value is kept apart: triaged secret set, rotate, list."
        yield f"  {key}: {quoted(value)}"
    yield ""


def _intake(name: str, platform: str) -> Iterator[str]:
    yield "intake:"
    yield "  # The poll loses nothing."
    yield "  poll: 60s"
    yield "  # The webhook makes it quick. Store its secret, and take the mark off the last line:"
    yield f"  # triaged secret set {name}.{platform}-webhook"
    yield f"  # webhook: {{secret: secret:{name}.{platform}-webhook}}"
    yield ""


def _aspect(proposal: Proposal, mode: Mode) -> Iterator[str]:
    field = proposal.field
    yield f"  {proposal.aspect}:"
    yield f"    # {_one_line(field.title)}, {_kind(proposal)}."
    if proposal.remark:
        yield from (f"    # Look at it: {line}" for line in _wrapped(proposal.remark)[:1])
        yield from (f"    # {line}" for line in _wrapped(proposal.remark)[1:])
    yield f"    field: {quoted(field.id)}"
    yield f"    mode: {mode}"
    if proposal.labels:
        yield "    labels:"
        yield from (f"      {quoted(key)}: {quoted(text)}" for key, text in proposal.labels.items())
    if proposal.values:
        yield "    # What is written for each label."
        yield "    values:"
        yield from (
            f"      {quoted(key)}: {quoted(value)}" for key, value in proposal.values.items()
        )
    if proposal.aspect is Aspect.PRIORITY:
        yield "    # A value that the desk sets by itself on each new ticket, and nobody chose:"
        usual = "normal" if "normal" in field.options else field.options[-1]
        yield f"    # treat_as_empty: [{quoted(usual)}]"


def _kind(proposal: Proposal) -> str:
    options = proposal.field.options
    return f"{len(options)} options" if options else f"a field for {proposal.field.kind}"


def _one_line(text: str) -> str:
    """Give a desk's words without what would end a comment."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _wrapped(text: str) -> Sequence[str]:
    return textwrap.wrap(_one_line(text), WIDTH, break_long_words=False)


def quoted(text: str) -> str:
    """Write a text in YAML, in quotation marks where it could be read as anything else."""
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _MEANT_OTHERWISE
    return text if is_plain else json.dumps(text, ensure_ascii=not text.isprintable())
