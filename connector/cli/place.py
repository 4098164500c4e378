"""Where the configured daemon keeps its state and bundles, for commands that look into them."""

from pathlib import Path

from connector import config, registry, secrets
from connector.app import kind_of
from connector.shelf import Shelf
from connector.store import Place, place_of


def place(path: Path) -> Place:
    """Read the configuration and tell the place; raises `ConfigError`."""
    return place_of(config.load(path, registry.platforms()).daemon, secrets.resolver())


def bundle_folder(bundle: str | None, path: Path) -> Path | None:
    """Give a bundle's folder, by itself or by its name on the shelf; `None` is the shipped one.

    Only for a name the configuration is read. Raises `ConfigError` and `BadBundle`.
    """
    if bundle is None or Path(bundle).is_dir():
        return Path(bundle) if bundle else None
    daemon = config.load_daemon(path)
    shelf = Shelf(daemon.shelf, kind_of(daemon.models).describe)
    return shelf.folder(*shelf.find(bundle))
