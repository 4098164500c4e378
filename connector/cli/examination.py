"""What `triaged doctor` looks at: the machine and the service, one function to each matter."""

import ctypes
import errno
import os
import platform
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from connector import __version__, namesakes, secrets
from connector.app import kind_of, thread_count
from connector.errors import TriagedError
from connector.ports import SecretRef
from connector.settings import SQLITE, Configuration, DaemonSettings, TenantSettings
from connector.store import is_begun, look_at_books, place_of, reached

PYTHONS = ((3, 11), (3, 14))
"""From the first to below the second."""

LEAST_DISK = 1 << 30
"""Bytes: below this a night of tickets, a copy of the database or a promoted bundle may not fit."""

LEAST_MEMORY = 512 << 20
"""Bytes that are free before the daemon starts, which takes about 250 MB."""

CLOCK_OFF = 60.0
"""Seconds between a desk's clock and ours; signed webhooks are refused from 300 on."""

SOON = 14
"""Days before a desk's certificate ends that are worth a word."""

PATIENCE = 5.0
"""Seconds for each answer of a server, as for any call to a desk."""

UNIT = "triaged.service"
LIMITS = ("LoadState", "ActiveState", "NRestarts", "MemoryMax", "MemoryPeak", "TasksMax")
LOST, UNSYNCHRONISED = -1, 5  # what adjtimex(2) gives: an error, TIME_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One matter: what was found, and what to do where it is not in order.

    `level` is `ok`, `note` (worth knowing) or `problem`.
    """

    subject: str
    level: str
    told: str
    remedy: str = ""


def fine(subject: str, told: str) -> Symptom:
    """Give what is in order."""
    return Symptom(subject=subject, level="ok", told=told)


def note(subject: str, told: str, remedy: str = "") -> Symptom:
    """Give what is worth knowing."""
    return Symptom(subject=subject, level="note", told=told, remedy=remedy)


def problem(subject: str, told: str, remedy: str = "") -> Symptom:
    """Give what has to be mended."""
    return Symptom(subject=subject, level="problem", told=told, remedy=remedy)


def versions() -> Iterator[Symptom]:
    """Tell what runs here, and what of it is missing or of an age that triaged does not know."""
    told = f"triaged {__version__}, Python {platform.python_version()}, SQLite "
    told += f"{sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}, {platform.platform()}"
    if PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        yield fine("versions", told)
    else:
        yield problem("versions", told, "make the virtual environment with Python 3.11 to 3.13")
    missing = sorted(_missing())
    if missing:
        remedy = "pip install --require-hashes --requirement requirements.lock"
        yield problem("libraries", f"not installed: {', '.join(missing)}", remedy)
    else:
        yield fine("libraries", f"all installed; onnxruntime {version('onnxruntime')}")


def _missing() -> Iterator[str]:
    """Name the libraries that serving needs and that are not there."""
    for line in requires("triaged") or ():
        requirement, _, marker = line.partition(";")
        if "extra" in marker:
            continue
        name = requirement
        for mark in "<>=!~[ ":
            name = name.partition(mark)[0]
        try:
            version(name)
        except PackageNotFoundError:
            yield name


def names() -> Iterator[Symptom]:
    """Tell whether the three import names are ours alone."""
    found = namesakes.found()
    for each in found:
        yield problem("names", each, "install triaged into a virtual environment of its own")
    if not found:
        yield fine("names", f"{', '.join(namesakes.OURS)} are triaged's own")


def machine() -> Iterator[Symptom]:
    """Tell of cores, memory and the clock's state."""
    cores = len(os.sched_getaffinity(0))
    free = _free_memory()
    told = f"{cores} cores, {free >> 20} MB of memory free"
    if free < LEAST_MEMORY:
        yield problem("machine", told, "give the daemon 1 GB, of which it takes about 250 MB")
    else:
        yield fine("machine", told)
    state = _clock_state()
    if state == UNSYNCHRONISED:
        remedy = "keep the clock by NTP, such as with systemd-timesyncd or chrony"
        yield note("clock", "the kernel does not know it to be synchronised", remedy)
    elif state == LOST:
        yield note("clock", "whether it is synchronised cannot be told here")
    else:
        yield fine("clock", f"synchronised; it is {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return LEAST_MEMORY


def _clock_state() -> int:
    """Ask the kernel, changing nothing: adjtimex(2) with `modes` 0."""
    state = ctypes.create_string_buffer(512)  # struct timex has 208 bytes and grows at its end
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(state))


def keyrings() -> Iterator[Symptom]:
    """Tell where secrets would be stored and looked for by this user."""
    if directory := os.environ.get(secrets.CREDENTIALS_DIRECTORY):
        yield fine("secrets", f"read from {directory} alone")
        return
    try:
        yield fine("secrets", f"kept in: {secrets.title(secrets.keeper())}")
    except TriagedError as error:
        remedy = "on a server run this as root; in a container set CREDENTIALS_DIRECTORY"
        yield note("secrets", error.detail, remedy)


def credentials(settings: Configuration) -> Iterator[Symptom]:
    """Tell which tenants' secrets this user can read."""
    resolve = secrets.resolver()
    for tenant in settings.tenants:
        for name in (value for _, value in tenant.desk if isinstance(value, SecretRef)):
            try:
                resolve(name)
            except TriagedError as error:
                remedy = f"triaged secret set {name}"
                yield problem(f"{tenant.tenant}: secrets", error.detail, remedy)


def disk(daemon: DaemonSettings) -> Iterator[Symptom]:
    """Tell of the state directory: its room, and who may look into it."""
    place = daemon.state
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free, mode = shutil.disk_usage(place).free, place.stat().st_mode
    except OSError as error:
        yield problem("disk", f"{place}: {error.strerror}", "run `triaged doctor` as root")
        return
    told = f"{free >> 20} MB free at {daemon.state}"
    if free < LEAST_DISK:
        yield problem("disk", told, "make room: with a full disk webhooks are answered 503")
    else:
        yield fine("disk", told)
    if place == daemon.state and mode & 0o077:
        remedy = f"chmod 700 {place}: it holds personal data"
        yield note("state", f"{place} can be looked into by others", remedy)
    elif place != daemon.state:
        yield note("state", f"{daemon.state} is not there yet", "the first start makes it")


def database(daemon: DaemonSettings) -> Iterator[Symptom]:
    """Tell whether the database answers, and whether its books balance."""
    try:
        place = place_of(daemon, secrets.resolver())
        if daemon.store == SQLITE and not is_begun(place):
            yield note("database", "no daemon has run here yet")
            return
        told = reached(place)
        missing = [one.tenant for one in look_at_books(place) if one.missing]
    except TriagedError as error:
        yield problem("database", error.detail, error.remedy())
        return
    if missing:
        remedy = "run `triaged queue audit`, and report it to us"
        yield problem("database", f"the books of {', '.join(missing)} do not balance", remedy)
    else:
        yield fine("database", f"{told}; the books balance")


def model(daemon: DaemonSettings) -> Iterator[Symptom]:
    """Verify every byte of the bundle that answers where a tenant names none."""
    folder = str(daemon.models.bundle) if daemon.models.bundle else None
    try:
        facts = kind_of(daemon.models).describe(folder)
    except TriagedError as error:
        yield problem("model", error.detail, error.remedy())
        return
    threads = thread_count(daemon.models)
    yield fine("model", f"{facts.title}, every byte verified, on {threads} threads")


def port(daemon: DaemonSettings) -> Iterator[Symptom]:
    """Tell whether the daemon listens where it should, or whether somebody else does."""
    web = daemon.web
    if _is_free(web.host, web.port):
        yield note("port", f"{web.listen} is free: no daemon listens there", "start the service")
        return
    try:
        status, _ = asked(web.host, web.port, "/readyz")
    except (OSError, HTTPException) as error:
        told = f"{web.listen} is taken, and does not answer HTTP ({type(error).__name__})"
        yield problem("port", told, "choose another port in `web.listen`, or end what has it")
        return
    if status in {200, 503}:
        state = "ready" if status == 200 else "not ready"  # noqa: PLR2004 - as HTTP has it
        yield fine("port", f"a daemon answers at {web.listen}, {state}")
    else:
        told = f"{web.listen} is taken by something that is not triaged ({status})"
        yield problem("port", told, "choose another port in `web.listen`, or end what has it")


def asked(host: str, number: int, path: str) -> tuple[int, str]:
    """Ask an HTTP server on this machine; raises `OSError` or `HTTPException`."""
    with closing(HTTPConnection(host, number, timeout=PATIENCE)) as line:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


def _is_free(host: str, number: int) -> bool:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def desks(settings: Configuration) -> Iterator[Symptom]:
    """Look at each desk's certificate and clock."""
    for tenant in settings.tenants:
        yield from desk(tenant)


def desk(tenant: TenantSettings) -> Iterator[Symptom]:
    """Tell whether a desk is reached by TLS that is trusted, for how long, and what time it has."""
    subject = f"{tenant.tenant}: TLS"
    parts = urlsplit(str(getattr(tenant.desk, "url", "")))
    if not parts.hostname:
        return
    if parts.scheme != "https":
        yield note(subject, f"{parts.hostname} on this machine is spoken to without")
        return
    if getproxies().get("https"):
        yield note(subject, "is not looked at through a proxy; `triaged check --online` goes there")
        return
    context = ssl.create_default_context()
    # As for the adapters' own calls.
    trusted = Path(os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
    if trusted.is_dir():
        context.load_verify_locations(capath=trusted)
    else:
        context.load_verify_locations(cafile=trusted)
    address = (parts.hostname, parts.port or 443)
    try:
        with (
            socket.create_connection(address, PATIENCE) as line,
            context.wrap_socket(line, server_hostname=parts.hostname) as secured,
        ):
            path = parts.path or "/"
            request = f"HEAD {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
            secured.sendall(request.encode("ascii", "replace"))
            head = secured.recv(16 << 10).decode("latin-1")
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
            spoken = str(secured.version())
    except ssl.SSLCertVerificationError as error:
        remedy = "name the CA's file in REQUESTS_CA_BUNDLE, or have the certificate mended"
        yield problem(subject, f"{parts.hostname}: {error.verify_message}", remedy)
        return
    except OSError as error:
        told = f"{parts.hostname} cannot be reached ({error.strerror or type(error).__name__})"
        yield problem(subject, told, "look at the address, the firewall and name look-ups")
        return
    yield _certificate(subject, f"{parts.hostname} speaks {spoken}", ends)
    yield from _clock_of(f"{tenant.tenant}: clock", head)


def _certificate(subject: str, told: str, ends: float) -> Symptom:
    days = int((ends - datetime.now(UTC).timestamp()) // 86400)
    told += f"; its certificate ends in {days} days"
    return note(subject, told, "tell its owner") if days < SOON else fine(subject, told)


def _clock_of(subject: str, head: str) -> Iterator[Symptom]:
    stamps = [line for line in head.splitlines() if line.lower().startswith("date:")]
    try:
        off = (parsedate_to_datetime(stamps[0][5:].strip()) - datetime.now(UTC)).total_seconds()
    except (IndexError, ValueError, TypeError):
        return
    if abs(off) > CLOCK_OFF:
        remedy = "keep this machine's clock by NTP: signed webhooks are refused from 300 s on"
        yield problem(subject, f"the desk's clock is {off:+.0f} s from ours", remedy)
    else:
        yield fine(subject, f"the desk's clock is {off:+.0f} s from ours")


def service() -> Iterator[Symptom]:
    """Tell how systemd runs the daemon, and within which limits."""
    found = shown()
    if not found:
        yield note("service", "systemd does not run this machine")
    elif found.get("LoadState") != "loaded":
        yield note("service", f"systemd knows no {UNIT}", "install the unit, as `Install` says")
    else:
        told = ", ".join(f"{key} {value}" for key, value in found.items() if key != "LoadState")
        if found.get("ActiveState") == "failed":
            remedy = f"journalctl --unit {UNIT} --lines 20 says why"
            yield problem("service", f"{UNIT} has failed ({told})", remedy)
        else:
            yield fine("service", f"{UNIT}: {told}")


def shown() -> Mapping[str, str]:
    """Ask systemd for the service's state and limits; nothing where it is not there."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return {}
    command = [systemctl, "show", UNIT, f"--property={','.join(LIMITS)}"]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = (line.partition("=") for line in ended.stdout.splitlines())
    return {key: value for key, _, value in lines if value} if not ended.returncode else {}
