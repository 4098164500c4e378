"""What an administrator can get wrong: one clear message with place and remedy, the right code."""

import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from world import Desk, Site

import classifiers

DAEMON = """\
state: state
web: {listen: "127.0.0.1:0"}
"""

TENANT = """\
tenant: acme
desk:
  platform: zendesk
  url: https://acme.zendesk.com
  account: triage@acme.example
  token: secret:acme.token
intake:
  poll: 60s
aspects:
  category: {field: "360001", mode: auto}
  priority: {field: priority, mode: suggest}
"""

ASPECTS = TENANT[TENANT.index("aspects:") :]


class Mistake(NamedTuple):
    """A change to a right file, where the message must point, and what it must say."""

    file: str
    old: str
    new: str
    place: str
    message: str


def daemon(old: str, new: str, place: str, message: str) -> Mistake:
    return Mistake("triaged.yaml", old, new, place, message)


def tenant(old: str, new: str, place: str, message: str) -> Mistake:
    return Mistake("tenants/acme.yaml", old, new, place, message)


MISTAKES = {
    "a tab": daemon("state: ", "state:\t", "1:7", "cannot start any token"),
    "an open brace": daemon("}", "", "3:1", "is not valid YAML"),
    "a key twice": daemon("web: ", "state: s\nweb: ", "2:1", 'duplicate key "state"'),
    "two documents": daemon("web: ", "---\nweb: ", "2:1", "another document"),
    "no mapping": daemon(DAEMON, "- state\n", "1:1", "`key: value` lines"),
    "an empty file": daemon(DAEMON, "", "1:1", "`key: value` lines"),
    "an unknown key": daemon("web: ", "wed: ", "2:1", "did you mean 'web'?"),
    "an unknown nested key": daemon("listen", "lisen", "2:7", "did you mean 'listen'?"),
    "no port": daemon(":0", "", "2:15", "web.listen"),
    "no such port": daemon(":0", ":99999", "2:15", "up to 65535"),
    "another store": daemon("web: ", "store: mysql\nweb: ", "2:8", "write sqlite, or"),
    "no threads": daemon("web: ", "models: {threads: 0}\nweb: ", "2:19", "models.threads"),
    "no tenants": daemon("web: ", "tenants: t/*.yml\nweb: ", "2:10", "no file matches"),
    "an empty pattern": daemon("web: ", 'tenants: ""\nweb: ', "2:10", "no file matches"),
    "a senseless pattern": daemon("web: ", 'tenants: "a**"\nweb: ', "2:10", "no file matches"),
    "a capital letter": tenant("tenant: acme", "tenant: Acme", "1:9", "tenant: "),
    "no desk": tenant(TENANT, "tenant: a\n" + ASPECTS, "1:1", "desk: is required"),
    "a desk in a word": tenant(TENANT, "tenant: a\ndesk: x\n" + ASPECTS, "2:7", "`key: value`"),
    "an unknown platform": tenant("zendesk\n", "zendsk\n", "3:13", "did you mean 'zendesk'?"),
    "a key left out": tenant("  account: triage@acme.example\n", "", "2:1", "is required"),
    "an address in clear": tenant("https", "http", "4:8", "write https"),
    "an address with a path": tenant(".com", ".com/agent", "4:8", "the account's address alone"),
    "an account with /token": tenant("example\n", "example/token\n", "5:12", "without /token"),
    "a secret in clear": tenant("secret:acme.token", "hunter2", "6:10", "write `secret:NAME`"),
    "no unit": tenant("60s", "60", "8:9", "write a number and a unit"),
    "an endless time": tenant("60s", "9" * 15 + "d", "8:9", "intake.poll"),
    "an unknown mode": tenant("mode: auto", "mode: full", "10:37", "'auto'"),
    "a number for a field": tenant('"360001"', "360001", "10:21", "valid string"),
    "a sure percentage": tenant("auto}", "auto, precision: 95}", "10:54", "precision"),
    "all off": tenant(ASPECTS, "aspects: {}\n", "9:1", "every aspect is off"),
    "one field for two": tenant(
        "priority, mode: suggest", '"360001", mode: auto', "11:21", "already written by category"
    ),
    "labels elsewhere": tenant("suggest}", "auto, labels: {a: b, c: d}}", "11:43", "only a cat"),
    "one label": tenant("auto}", "auto, labels: {a: b}}", "10:43", "name at least two"),
}


def wrong(folder: Path, mistake: Mistake) -> Path:
    """Write right files but for one mistake; give the configuration's path."""
    (folder / "tenants").mkdir()
    files = {"triaged.yaml": DAEMON, "tenants/acme.yaml": TENANT}
    assert mistake.old in files[mistake.file]
    files[mistake.file] = files[mistake.file].replace(mistake.old, mistake.new, 1)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "triaged.yaml"


@pytest.mark.parametrize("kind", MISTAKES)
def test_wrong_yaml_exits_78_with_one_message_that_names_the_place(tmp_path, inside, kind) -> None:
    mistake = MISTAKES[kind]
    ended = inside("check", "--config", str(wrong(tmp_path, mistake)))
    assert (ended.returncode, ended.stdout) == (78, "")
    [message] = ended.stderr.splitlines()
    assert message.startswith(f"triaged: {tmp_path / mistake.file}:{mistake.place}: ")
    assert mistake.message in message
    assert "hunter2" not in message


def test_the_files_alone_are_checked_where_no_secret_is_in_reach(tenanted, inside) -> None:
    for secret in tenanted.secrets.iterdir():
        secret.unlink()
    ended = inside("check", "--files-only", site=tenanted)
    assert (ended.returncode, ended.stdout.count("✓")) == (0, 1)
    assert inside("check", site=tenanted).returncode == 78
    file = tenanted.folder / "tenants" / "acme.yaml"
    file.write_text(file.read_text("utf-8").replace("intake:", "intaek:"), "utf-8")
    ended = inside("check", "--files-only", site=tenanted)
    assert ended.returncode == 78
    assert f"{file}:" in ended.stderr
    assert inside("check", "--files-only", "--online", site=tenanted).returncode == 2


@pytest.mark.parametrize("command", ["check", "run", "status"])
def test_every_command_refuses_a_wrong_file_alike(site: Site, inside, command) -> None:
    site.config.write_text("staet: here\n", encoding="utf-8")
    ended = site.triaged(command) if command == "run" else inside(command, site=site)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert f"{site.config}:1:1: staet: unknown key, did you mean 'state'?" in ended.stderr


def test_several_mistakes_are_told_at_once(site: Site, desk, inside) -> None:
    site.tenant("acme", desk, intake={"pol": "1s"}, aspects={"category": {"field": ""}})
    site.tenant("twin", desk)
    twin = site.folder / "tenants" / "twin.yaml"
    twin.write_text(twin.read_text(encoding="utf-8").replace("tenant: twin", "tenant: Twin"))
    ended = inside("check", site=site)
    assert ended.returncode == 78
    assert ended.stderr.startswith("triaged: 3 problems in the configuration\n")
    assert len(ended.stderr.splitlines()) == 4


def test_a_missing_file_is_named(tmp_path, inside) -> None:
    ended = inside("check", "--config", str(tmp_path / "nowhere.yaml"))
    assert ended.returncode == 78
    assert "nowhere.yaml:1:1: cannot be read (No such file or directory)" in ended.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_missing_secret_exits_78_with_its_name(tenanted, command) -> None:
    (tenanted.secrets / "acme.sandbox.zendesk-token").unlink()
    ended = tenanted.triaged(command)
    assert ended.returncode == 78
    told = ended.stdout + ended.stderr
    assert "secret `acme.sandbox.zendesk-token` is not in the keyring" in told
    assert "triaged secret set NAME" in told
    assert "Traceback" not in told


@pytest.fixture
def checked(site: Site, desk: Desk, inside) -> Callable[..., tuple[int, str]]:
    """Give a function that checks one tenant online; it gives the exit code and the complaints."""

    def check(**changes: object) -> tuple[int, str]:
        site.tenant("acme", desk, **changes)
        ended = inside("check", "--online", site=site)
        assert ended.stderr == ""
        complaints = [line for line in ended.stdout.splitlines() if line.startswith("✗")]
        return ended.returncode, "\n".join(complaints)

    return check


def test_an_unreachable_desk_exits_1(checked, desk) -> None:
    token = "secret:acme.sandbox.zendesk-token"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        code, told = checked(desk={**desk.get("tenant")["desk"], "url": away, "token": token})
    assert code == 1
    assert re.match(r"✗ acme: desk: GET \S+: ConnectionError\. .*check the desk's address", told)


def test_a_refused_credential_exits_1(tenanted, inside) -> None:
    tenanted.secret("acme.sandbox.zendesk-token", "an outdated token")
    ended = inside("check", "--online", site=tenanted)
    assert ended.returncode == 1
    assert "✗ acme: desk: GET /api/v2/users/me.json: 401" in ended.stdout
    assert "store a valid credential" in ended.stdout
    assert "outdated" not in ended.stdout


def test_a_missing_field_exits_78(checked) -> None:
    code, told = checked(aspects={"category": {"field": "categroy", "mode": "auto"}})
    assert code == 78
    assert told == (
        "✗ acme: desk: acme: aspects.category.field: the desk has no field 'categroy', did you mean"
        " '360001' (Category)?; create it there, or map another one"
    )


def test_a_missing_option_exits_78(checked) -> None:
    code, told = checked(
        aspects={
            "category": {
                "field": "360001",
                "mode": "auto",
                "labels": {"network": "VPN, Wi-Fi", "coffee": "the coffee machine"},
            }
        }
    )
    assert code == 78
    assert "aspects.category.values: the desk's field '360001' (Category) lacks the" in told
    assert "options coffee; add them on the desk or rename them under `values`" in told


def test_a_field_of_the_wrong_kind_exits_78(checked) -> None:
    code, told = checked(aspects={"category": {"field": "360004", "mode": "auto"}})
    assert code == 78
    assert "takes choices; map a text or drop-down field" in told


@pytest.mark.parametrize("name", ["model.onnx", "heads.npz", "manifest.json"])
def test_a_damaged_model_file_exits_1_and_is_named(tenanted, inside, tmp_path, name) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(Path(classifiers.__file__).parent / "bundles" / "default", bundle)
    damaged = bundle / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    tenanted.configure(models={"bundle": str(bundle)})
    is_run = name == "model.onnx"
    ended = tenanted.triaged("run") if is_run else inside("check", site=tenanted)
    told = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert str(damaged) in told
    assert "Reinstall triaged for the shipped bundle" in told
    assert "Traceback" not in told
