"""The doctor's page: what is in order, what is not and its remedy; a bundle without canaries."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest
from world import Site

from connector.cli import examination

TEXTS = {
    "subject": "Zanzibarlock",
    "text": "quorvexandria",
    "requester": "Ottilienschreck",
    "label": "marmalukebird",
    "comment": "gollywanderer",
}


@pytest.fixture
def doctor(inside) -> Callable[..., tuple[int, Mapping[str, Mapping[str, str]]]]:
    """Give a function that examines a site; it gives the exit code and the symptoms by subject."""

    def examine(site: Site, *options: str) -> tuple[int, Mapping[str, Mapping[str, str]]]:
        ended = inside("doctor", "--json", *options, site=site)
        return ended.returncode, {each["subject"]: each for each in json.loads(ended.stdout)}

    return examine


def levels(found: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return {subject: each["level"] for subject, each in found.items()}


def test_a_machine_on_which_a_daemon_runs_is_in_order(tenanted, doctor, inside) -> None:
    daemon = tenanted.daemon().ready("acme")
    tenanted.configure(web={"listen": daemon.address.removeprefix("http://")})
    code, found = doctor(tenanted)
    assert (code, {each for each, level in levels(found).items() if level == "problem"}) == (
        0,
        set(),
    )
    ordered = {subject for subject, level in levels(found).items() if level == "ok"}
    wanted = {"versions", "libraries", "names", "machine", "secrets", "disk", "database", "model"}
    assert wanted | {"port", "configuration"} <= ordered
    assert "a daemon answers" in found["port"]["told"]
    assert "on this machine is spoken to without" in found["acme: TLS"]["told"]
    page = inside("doctor", site=tenanted).stdout
    assert "✓ database: sqlite in" in page
    assert len(page.splitlines()) == len(found)


def test_before_anything_is_set_up_the_way_on_is_told(tmp_path, inside) -> None:
    ended = inside("doctor", "--config", str(tmp_path / "triaged.yaml"))
    assert "`triaged init` writes one" in ended.stdout


def test_every_problem_of_the_configuration_is_on_the_page(site, inside) -> None:
    site.config.write_text("staet: here\nweb: {listen: nowhere}\n")
    ended = inside("doctor", site=site)
    assert ended.returncode == 1
    assert f"✗ configuration: {site.config}:1:1: staet: unknown key" in ended.stdout
    assert f"✗ configuration: {site.config}:2:15: web.listen" in ended.stdout


def test_a_port_that_somebody_else_has_is_told(tenanted, doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        tenanted.configure(web={"listen": f"127.0.0.1:{other.getsockname()[1]}"})
        examination_patience = pytest.MonkeyPatch()
        examination_patience.setattr(examination, "PATIENCE", 0.2)
        code, found = doctor(tenanted)
        examination_patience.undo()
    assert code == 1
    assert "is taken, and does not answer HTTP" in found["port"]["told"]


def test_a_damaged_database_and_an_open_state_directory_are_told(tenanted, doctor) -> None:
    tenanted.state.mkdir(mode=0o755)
    (tenanted.state / "triaged.db").write_bytes(b"no database at all" * 100)
    code, found = doctor(tenanted)
    assert code == 1
    assert found["database"]["level"] == "problem"
    assert found["state"]["remedy"].startswith("chmod 700")


def test_a_missing_secret_is_told_with_the_command_that_stores_it(tenanted, doctor) -> None:
    (tenanted.secrets / "acme.sandbox.zendesk-token").unlink()
    code, found = doctor(tenanted)
    assert code == 1
    assert found["acme: secrets"]["remedy"] == "triaged secret set acme.sandbox.zendesk-token"


def certified(folder: Path) -> Path:
    """Make a certificate for this machine that ends in two days, with its key, in one file."""
    key, certificate, whole = (folder / f"server.{kind}" for kind in ("key", "crt", "pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=desk", "-addext"]
    command += ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    whole.write_bytes(key.read_bytes() + certificate.read_bytes())
    return whole


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make keys")
def test_a_desks_certificate_is_looked_at(tenanted, desk, doctor, tmp_path, monkeypatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    whole = certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    settings = desk.get("tenant")["desk"]
    served = desk.sandbox._server
    served.socket = context.wrap_socket(served.socket, server_side=True)
    served.handle_error = lambda *_: None
    url = settings["url"].replace("http://", "https://")
    file = tenanted.folder / "tenants" / "acme.yaml"
    file.write_text(file.read_text().replace(settings["url"], url))
    code, found = doctor(tenanted)
    assert code == 1
    assert "self-signed certificate" in found["acme: TLS"]["told"]
    assert "REQUESTS_CA_BUNDLE" in found["acme: TLS"]["remedy"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(whole.with_suffix(".crt")))
    code, found = doctor(tenanted)
    assert found["acme: TLS"]["level"] == "note"
    assert "its certificate ends in 1 days" in found["acme: TLS"]["told"]
    assert found["acme: clock"]["level"] == "ok"
    assert "acme: TLS" not in doctor(tenanted, "--offline")[1]


def test_the_bundle_holds_no_canary(site, desk, inside, tmp_path) -> None:
    labels = {"network": TEXTS["label"], TEXTS["label"]: "anything"}
    values = dict.fromkeys(labels, "network")
    category = {"field": "360001", "mode": "auto", "labels": labels, "values": values}
    file = site.tenant("acme", desk, aspects={"category": category})
    file.write_text(file.read_text() + f"# {TEXTS['comment']}\n")
    daemon = site.daemon().ready("acme")
    site.configure(web={"listen": daemon.address.removeprefix("http://")})
    ticket = desk.arrive(
        TEXTS["subject"], f"The VPN fails. {TEXTS['text']}", requester=TEXTS["requester"]
    )
    daemon.event("ticket_triaged", ticket=ticket)
    bundle = tmp_path / "support.zip"
    assert inside("doctor", "--bundle", str(bundle), site=site).returncode == 0
    assert bundle.stat().st_mode & 0o777 == 0o600
    with ZipFile(bundle) as opened:
        pieces = {name: opened.read(name).decode() for name in opened.namelist()}
    assert json.loads(pieces["configuration.json"])["tenants"][0]["tenant"] == "acme"
    assert json.loads(pieces["counts.json"])[0]["outcomes"] == {"written": 1}
    assert "triaged_received_total" in pieces["metrics.txt"]
    assert "numpy==" in pieces["packages.txt"]
    held = "".join(pieces.values())
    secrets = [path.read_text() for path in site.secrets.iterdir()]
    assert len(secrets) == 2
    account = desk.get("tenant")["desk"]["account"]
    assert not [canary for canary in (*TEXTS.values(), *secrets, account) if canary in held]
    again = inside("doctor", "--bundle", str(bundle), site=site)
    assert "exists already" in again.stderr
