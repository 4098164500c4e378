import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pages import PAGES, blocks, each_page, spans

from connector.cli.main import triaged

SHELL = {"console", "sh", "bash", ""}
_PLACEHOLDER = re.compile(r"…|\.\.\.")


def lines(page: Path) -> Iterator[str]:
    """Yield what looks like a command line of ours, in blocks and in code spans."""
    for block in blocks(page):
        if block.kind in SHELL:
            typed = block.text.replace("\\\n", " ")
            shown = [line for line in typed.splitlines() if line.startswith("$ ")]
            for line in shown or typed.splitlines():
                yield from re.split(r"\||&&|;", line.removeprefix("$ "))
    yield from spans(page)


def arguments(line: str) -> list[str] | None:
    """Give the words after `triaged` where it is the command, `None` otherwise."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    for at, word in enumerate(words):
        is_first = all(before in {"sudo", "env", "$"} or "=" in before for before in words[:at])
        if word.endswith("/bin/triaged") or (word == "triaged" and is_first):
            return [word for word in words[at + 1 :] if not _is_placeholder(word)]
    return None


def _is_placeholder(word: str) -> bool:
    """Tell what a usage line shows in place of a word: `[OPTIONS]`, `COMMAND`, `[ARGS]...`."""
    return word in {"[OPTIONS]", "COMMAND"} or bool(_PLACEHOLDER.search(word))


def complaint(words: list[str]) -> str:
    """Say what is wrong with a command line; nothing is run."""
    command: click.Command = triaged
    context = click.Context(triaged, info_name="triaged")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"there is no command {' '.join((context.command_path, words[0]))}"
        context = click.Context(found, info_name=words[0], parent=context)
        command, words = found, words[1:]
    try:
        command.make_parser(context).parse_args(list(words))
    except click.UsageError as error:
        return error.format_message()
    return ""


@each_page
def test_every_command_line_names_commands_and_options_that_exist(page) -> None:
    found = [(line, arguments(line)) for line in lines(page)]
    wrong = {line: complaint(words) for line, words in found if words is not None}
    assert not {line: why for line, why in wrong.items() if why}


def test_command_lines_are_found_at_all() -> None:
    found = [line for page in PAGES for line in lines(page) if arguments(line)]
    assert len(found) > 30


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("triaged check --online", ["check", "--online"]),
        ("sudo /opt/triaged/bin/triaged status", ["status"]),
        ("sudo env A=b .venv/bin/triaged run", ["run"]),
        ("keyring set triaged NAME", None),
        ("systemctl restart triaged", None),
        ("triaged.yaml", None),
    ],
)
def test_a_command_of_ours_is_told_from_others(line, words) -> None:
    assert arguments(line) == words


@pytest.mark.parametrize(
    "line", ["triaged chek", "triaged check --onlin", "triaged run --log-format"]
)
def test_a_wrong_command_line_is_noticed(line) -> None:
    words = arguments(line)
    assert words is not None
    assert complaint(words)
