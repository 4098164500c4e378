import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from pages import ROOT
from test_commands import complaint

from connector.app import DRAIN, ROUND
from connector.errors import EXIT_CONFIG
from connector.lifeline import FED

UNIT = ROOT / "systemd" / "triaged.service"
TRAINING = ROOT / "systemd" / "triaged-train.service"
TIMER = ROOT / "systemd" / "triaged-train.timer"
MOST_EXPOSURE = 13
"""Tenths, as `--threshold` counts: rated 1.1 by systemd 252. The scale ends at 100."""

HARDENED = {
    "AmbientCapabilities": [""],
    "CapabilityBoundingSet": [""],
    "DevicePolicy": ["closed"],
    "DynamicUser": ["yes"],
    "KeyringMode": ["private"],
    "LimitCORE": ["0"],
    "LockPersonality": ["yes"],
    "MemoryDenyWriteExecute": ["yes"],
    "NoNewPrivileges": ["yes"],
    "PrivateDevices": ["yes"],
    "PrivateMounts": ["yes"],
    "PrivateTmp": ["yes"],
    "PrivateUsers": ["yes"],
    "ProcSubset": ["all"],
    "ProtectClock": ["yes"],
    "ProtectControlGroups": ["yes"],
    "ProtectHome": ["yes"],
    "ProtectHostname": ["yes"],
    "ProtectKernelLogs": ["yes"],
    "ProtectKernelModules": ["yes"],
    "ProtectKernelTunables": ["yes"],
    "ProtectProc": ["invisible"],
    "ProtectSystem": ["strict"],
    "RemoveIPC": ["yes"],
    "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6"],
    "RestrictNamespaces": ["yes"],
    "RestrictRealtime": ["yes"],
    "RestrictSUIDSGID": ["yes"],
    "StateDirectoryMode": ["0700"],
    "SystemCallArchitectures": ["native"],
    "SystemCallErrorNumber": ["EPERM"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "UMask": ["0077"],
}


ALONE = {
    "PrivateNetwork": ["yes"],
    "RestrictAddressFamilies": ["AF_UNIX"],
    "SystemCallFilter": ["@system-service", "~@privileged"],
}
"""Where training is hardened otherwise: it has no network, and threads that it may pin."""


def settings(unit: Path = UNIT) -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in unit.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.parametrize("key", HARDENED)
def test_a_hardening_line_stands(key) -> None:
    assert settings()[key] == HARDENED[key]


@pytest.mark.parametrize("key", {**HARDENED, **ALONE})
def test_a_hardening_line_stands_for_training(key) -> None:
    assert settings(TRAINING)[key] == {**HARDENED, **ALONE}[key]


def test_training_keeps_no_tickets_and_begins_with_none() -> None:
    begun = settings(TRAINING)["ConditionPathExists"]
    [history] = settings(TRAINING)["ExecStartPost"]
    [place] = settings(TRAINING)["StateDirectory"]
    assert begun == [f"|/var/lib/{each}{place}/history.jsonl" for each in ("", "private/")]
    assert history == "/bin/rm -f ${STATE_DIRECTORY}/history.jsonl"
    [command] = settings(TRAINING)["ExecStart"]
    words = shlex.split(command)
    assert words[0] == settings()["ExecStart"][0].split()[0]
    assert complaint(words[1:]) == ""


def test_the_service_runs_our_command_with_its_configuration() -> None:
    [command] = settings()["ExecStart"]
    assert command.startswith("/opt/triaged/bin/triaged run --config /etc/triaged/triaged.yaml")
    assert (settings()["Type"], settings()["NotifyAccess"]) == (["notify"], ["main"])
    assert settings()["StateDirectory"] == settings()["ConfigurationDirectory"] == ["triaged"]
    assert settings()["SyslogIdentifier"] == ["triaged"]


def test_a_configuration_error_is_not_tried_again() -> None:
    assert settings()["Restart"] == ["on-failure"]
    assert settings()["RestartPreventExitStatus"] == [str(EXIT_CONFIG)]
    assert settings()["StartLimitBurst"] == ["5"]


def test_a_reload_checks_the_configuration_before_the_daemon_is_told() -> None:
    check, tell = settings()["ExecReload"]
    [start] = settings()["ExecStart"]
    program, _, option, path = start.split()[:4]
    assert check.split() == [program, "check", "--files-only", option, path]
    assert tell == "/bin/kill -HUP $MAINPID"


def test_the_watchdog_strikes_later_than_signs_of_life_may_come() -> None:
    [seconds] = settings()["WatchdogSec"]
    assert float(seconds) / FED >= 10 * ROUND


def test_systemd_waits_longer_than_a_drain_takes() -> None:
    [seconds] = settings()["TimeoutStopSec"]
    assert float(seconds) > DRAIN


def test_no_usage_events_are_kept_for_anybody() -> None:
    assert settings()["Environment"] == ["ORT_DISABLE_TELEMETRY=1"]


def test_secrets_are_shown_as_credentials_and_only_as_a_comment() -> None:
    assert "LoadCredential" not in settings()
    assert "#LoadCredential=acme.zendesk-token:" in UNIT.read_text("utf-8")


systemd_analyze = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(systemd_analyze is None, reason="no systemd-analyze here")


def analysed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(systemd_analyze), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
def test_systemd_finds_no_fault_in_the_units(tmp_path) -> None:
    """It also wants the program to be there, which is not so on this machine."""
    for unit in (UNIT, TRAINING, TIMER):
        text = unit.read_text("utf-8").replace("/opt/triaged/bin/triaged", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    told = analysed("verify", "--man=no", *map(str, sorted(tmp_path.iterdir())))
    ours = [line for line in told.stderr.splitlines() if str(tmp_path) in line]
    assert not ours
    assert told.returncode == 0


@needs_systemd
@pytest.mark.parametrize("unit", [UNIT, TRAINING], ids=lambda unit: unit.stem)
def test_systemd_rates_the_exposure_as_low(unit) -> None:
    told = analysed("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit))
    if "Overall exposure" not in told.stdout:
        pytest.skip("this systemd-analyze cannot rate a file offline")
    assert told.returncode == 0, told.stdout.splitlines()[-1]
    strict = analysed("security", "--offline=true", "--threshold=1", str(unit))
    assert strict.returncode != 0  # the threshold is looked at
