"""Where the configured daemon keeps its state, for commands that look into it."""

from pathlib import Path

from connector import config, registry, secrets
from connector.store import Place, place_of


def place(path: Path) -> Place:
    """Read the configuration and tell the place; raises `ConfigError`."""
    return place_of(config.load(path, registry.platforms()).daemon, secrets.resolver())
