"""Packages of others under the names of ours: `adapters`, `classifiers` and `connector`."""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from connector.errors import NamesTaken

OURS = ("adapters", "classifiers", "connector")
"""Our import names. They are words that others use too: a library on PyPI imports as `adapters`."""

DISTRIBUTION = "triaged"

HOME = Path(__file__).resolve().parent.parent
"""Where this very module comes from, and the other two have to be its neighbours."""

_CLAIM = re.compile(rf"^({'|'.join(OURS)})(?:/|\.py,)", re.MULTILINE)
"""A line of a distribution's RECORD that puts a file under one of our names."""


def found() -> Sequence[str]:
    """Say of each namesake where it stands; nothing when all three names are ours alone."""
    return (*_shadows(), *_claims())


def require_none() -> None:
    """Raise `NamesTaken` when somebody else's package stands, or claims to, where ours belong."""
    namesakes = found()
    if namesakes:
        raise NamesTaken("; ".join(namesakes))


def _shadows() -> Iterator[str]:
    """Look at what an import would give: a folder on PYTHONPATH can come before ours."""
    for name in OURS:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if origin != HOME / name / "__init__.py":
            place = origin.parent if origin else "no package"
            yield f"`import {name}` gives {place} instead of {HOME / name}"


def _claims() -> Iterator[str]:
    """Look at what is installed: who came last has overwritten the other's files."""
    for each in distributions():
        title = each.metadata["Name"] or "a distribution without a name"
        if title != DISTRIBUTION:
            names = sorted(set(_CLAIM.findall(each.read_text("RECORD") or "")))
            if names:
                yield (
                    f"the distribution {title} {each.version} installs {', '.join(names)} too: "
                    f"`pip uninstall {title}`, then `pip install --force-reinstall --no-deps "
                    f"{DISTRIBUTION}`"
                )
