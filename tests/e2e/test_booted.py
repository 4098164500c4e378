"""The service on a machine that systemd really booted; the script says what it goes through."""

import subprocess
import sys
from pathlib import Path

import pytest
from machine import PREFIX, Machine

SCRIPT = Path(__file__).with_name("booted.py")
LONGEST = 3600


@pytest.mark.timeout(LONGEST)
@pytest.mark.skipif(
    Machine.named() is None,
    reason=f"{PREFIX} names no machine that systemd booted: the unit was not tried on one",
)
def test_a_year_of_the_service_on_a_booted_machine() -> None:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert "found nowhere" in ended.stdout
