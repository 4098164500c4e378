"""The daemon's core: intake, store, the ticket's path, commands; names no platform and no model."""

__version__ = "0.1.0"
