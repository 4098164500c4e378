"""The address of a desk as a tenant file writes it: one origin, for some with a path below it."""

import re
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from adapters.origin import Origin


def desk_url(wanted: str) -> AfterValidator:
    """Give the check that keeps `scheme://host[:port]`; `wanted` says what to write."""

    def check(value: str) -> str:
        try:
            parts, origin = urlsplit(value), Origin.of(value)
        except ValueError:
            raise _bad(wanted) from None
        more = parts.path.strip("/") or parts.query or parts.fragment
        if not origin.host or more or "@" in parts.netloc:
            raise _bad(wanted)
        if origin.scheme == "http" and not (origin.is_loopback and "." in origin.host):
            raise PydanticCustomError(
                "url_in_clear", "write https; http is only for a sandbox on http://127.0.0.1:PORT"
            )
        if origin.scheme not in {"http", "https"} or "." not in origin.host:
            raise _bad(wanted)
        return f"{origin.scheme}://{parts.netloc.lower()}"

    return AfterValidator(check)


def based_url(wanted: str, path: re.Pattern[str]) -> AfterValidator:
    """Give the check that keeps `scheme://host[:port][/path]`, without a slash at its end.

    `path` says what may stand behind the host; plain http is for this machine alone.
    """

    def check(value: str) -> str:
        try:
            parts, origin = urlsplit(value), Origin.of(value)
        except ValueError:
            raise _bad(wanted) from None
        below = parts.path.rstrip("/")
        more = parts.query or parts.fragment or "@" in parts.netloc or ".." in below
        if not origin.host or more or not path.fullmatch(below):
            raise _bad(wanted)
        if origin.scheme == "http" and not origin.is_loopback:
            raise PydanticCustomError(
                "url_in_clear", "write https; http is only for a server on this machine"
            )
        if origin.scheme not in {"http", "https"}:
            raise _bad(wanted)
        return f"{origin.scheme}://{parts.netloc.lower()}{below}"

    return AfterValidator(check)


def _bad(wanted: str) -> PydanticCustomError:
    return PydanticCustomError("desk_url", "write {wanted}", {"wanted": wanted})
