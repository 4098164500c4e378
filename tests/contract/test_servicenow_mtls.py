"""Mutual TLS for real: a server that takes no call without the client's certificate."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from people import HandClock

from adapters import servicenow
from adapters.servicenow.sandbox import ServiceNowSandbox
from connector.errors import Retry
from connector.model import Secret
from connector.ports import Adapter, Surroundings

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make keys")


def made(folder: Path, name: str) -> Path:
    """Make a self-signed certificate with its key in one PEM file."""
    key, certificate, whole = (folder / f"{name}.{kind}" for kind in ("key", "crt", "pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext"]
    command += ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    whole.write_bytes(key.read_bytes() + certificate.read_bytes())
    return whole


@pytest.fixture
def client(tmp_path: Path) -> Path:
    return made(tmp_path, "client")


@pytest.fixture
def guarded(
    tmp_path: Path, client: Path, servicenow: ServiceNowSandbox, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Put the sandbox behind TLS; who shows the certificate is taken for the triage account."""
    server = made(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    context.load_verify_locations(client.with_suffix(".crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    listening = servicenow._server
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    listening.handle_error = lambda *_: None
    servicenow.door.user = lambda _request: "triage"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.with_suffix(".crt")))
    return servicenow.url.replace("http://", "https://")


def connected(url: str, certificate: Path, clock: HandClock) -> Adapter:
    options = servicenow.ServiceNowDesk(
        platform="servicenow", url=url, account="triage", certificate=certificate
    )
    return servicenow.connect(options, Surroundings(secret=Secret, clock=clock))


def test_the_certificate_opens_the_instance(guarded, client, clock) -> None:
    with connected(guarded, client, clock) as adapter:
        assert adapter.check().name == "Triage"


def test_another_certificate_does_not(guarded, tmp_path, clock) -> None:
    with connected(guarded, made(tmp_path, "other"), clock) as adapter, pytest.raises(Retry):
        adapter.check()
