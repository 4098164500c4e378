"""Scheme, host and port: what must agree before a credential travels (RFC 6454)."""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where an address leads, without what it asks for there."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Read the origin of an absolute URL; raises `ValueError` on a senseless port."""
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        return cls(parts.scheme, (parts.hostname or "").lower(), port)

    @property
    def is_loopback(self) -> bool:
        """Whether the host is a loopback address."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
