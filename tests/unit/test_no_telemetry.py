import os
import subprocess
import sys
from pathlib import Path

READ = """
from classifiers import kind

[reading] = kind.load(None, 1).classifier({}).predict(["The printer jams again"])
print(len(reading.predictions))
"""


def test_reading_a_ticket_leaves_no_usage_events_behind(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    done = subprocess.run(
        [sys.executable, "-c", READ],
        env={**plain, **home},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "3\n"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
