import re
import shutil
import subprocess
from collections import defaultdict

import pytest
from pages import ROOT

from connector.app import DRAIN
from connector.errors import EXIT_CONFIG

UNIT = ROOT / "systemd" / "triaged.service"
MOST_EXPOSURE = 1.5

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


def settings() -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in UNIT.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.parametrize("key", HARDENED)
def test_a_hardening_line_stands(key) -> None:
    assert settings()[key] == HARDENED[key]


def test_the_service_runs_our_command_with_its_configuration() -> None:
    [command] = settings()["ExecStart"]
    assert command.startswith("/opt/triaged/bin/triaged run --config /etc/triaged/triaged.yaml")
    assert settings()["Type"] == ["exec"]
    assert settings()["StateDirectory"] == settings()["ConfigurationDirectory"] == ["triaged"]
    assert settings()["SyslogIdentifier"] == ["triaged"]


def test_a_configuration_error_is_not_tried_again() -> None:
    assert settings()["Restart"] == ["on-failure"]
    assert settings()["RestartPreventExitStatus"] == [str(EXIT_CONFIG)]
    assert settings()["StartLimitBurst"] == ["5"]


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
def test_systemd_finds_no_fault_in_the_unit(tmp_path) -> None:
    """It also wants the program to be there, which is not so on this machine."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/triaged/bin/triaged", "/bin/true"))
    told = analysed("verify", "--man=no", str(copy))
    ours = [line for line in told.stderr.splitlines() if UNIT.name in line]
    assert not ours
    assert told.returncode == 0


@needs_systemd
def test_systemd_rates_the_exposure_as_low() -> None:
    told = analysed("security", "--offline=true", "--no-pager", str(UNIT))
    if "Overall exposure" not in told.stdout:
        pytest.skip("this systemd-analyze cannot rate a file offline")
    [exposure] = re.findall(r"Overall exposure level .*: ([\d.]+)", told.stdout)
    assert float(exposure) <= MOST_EXPOSURE
