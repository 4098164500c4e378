"""Finds what is installed: platforms, model kinds and further commands, by entry point."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connector.errors import ConfigError
from connector.ports import ModelKind, Platform

PLATFORMS = "triaged.adapters"
MODEL_KINDS = "triaged.classifiers"
COMMANDS = "triaged.commands"


class _Lazy(Mapping[str, Any]):
    """The entries of one group by name; each is imported when it is first asked for."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._entries: dict[str, EntryPoint] = {
            entry.name: entry for entry in sorted(entry_points(group=group))
        }

    def __getitem__(self, name: str) -> Any:
        entry = self._entries[name]
        try:
            return entry.load()
        except ImportError as error:
            detail = f"{self._group}: {name!r} ({entry.value}) cannot be imported: {error}"
            raise ConfigError(f"{detail}; reinstall the distribution that provides it") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@cache
def platforms() -> Mapping[str, Platform]:
    """Give the installed platforms by name."""
    return _Lazy(PLATFORMS)


@cache
def commands() -> Mapping[str, Any]:
    """Give the click commands that other packages add, by name."""
    return _Lazy(COMMANDS)


def model_kind() -> ModelKind:
    """Give the installed kind of model; raises `ConfigError` when there is none."""
    kinds = _Lazy(MODEL_KINDS)
    for name in kinds:
        kind: ModelKind = kinds[name]
        return kind
    raise ConfigError(f"{MODEL_KINDS}: no model package is installed; reinstall triaged")
