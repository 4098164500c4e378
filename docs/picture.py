"""Draws docs/images/demo.svg from a real run of the demonstration: `python docs/picture.py`."""

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 140
IMAGE = Path(__file__).parent / "images" / "demo.svg"


def main() -> None:
    """Run the demonstration as on a terminal and save what it shows."""
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-m", "connector", "demo"],
        env={**os.environ, **terminal},
        capture_output=True,
        text=True,
        check=True,
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text("$ make demo", "bold"))
    console.print(Text.from_ansi(done.stdout))
    IMAGE.parent.mkdir(exist_ok=True)
    console.save_svg(str(IMAGE), title="make demo")


main()
