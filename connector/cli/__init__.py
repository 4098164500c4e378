"""The commands: what an administrator types, and what comes back."""

from connector.cli.main import main

__all__ = ["main"]
