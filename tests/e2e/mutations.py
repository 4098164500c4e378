"""Breaks the example configuration in many ways, and looks at how each one is refused.

`python tests/e2e/mutations.py 200` breaks it until 200 were refused, prints what was said by kind,
and exits with 1 when anything else came than a refusal that names file and line. A mutation that
leaves a valid configuration does not count.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import NamedTuple

import click

from connector import config, registry
from connector.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "config"
FILES = (
    "triaged.yaml",
    *sorted(f"tenants/{each.name}" for each in EXAMPLES.glob("tenants/*.yaml")),
)
PLACED = re.compile(r"(?P<file>/.+?):(?P<line>[1-9]\d*):(?P<column>[1-9]\d*): \S")
KEY = re.compile(r"^(?P<lead>[ ]*)(?P<key>[a-z_]+): *(?P<value>[^#\n]*)", re.MULTILINE)

Text = bytes | None
"""A file's new content; `None` takes it away."""


class Mutated(NamedTuple):
    """One broken file: what was done to it, and what it holds now."""

    kind: str
    file: str
    content: Text


class Outcome(NamedTuple):
    """What came of a broken file; `problems` are empty where it is valid all the same."""

    mutated: Mutated
    problems: Sequence[str]
    seconds: float

    def objection(self, folder: Path) -> str:
        """Say what is wrong with the refusal; nothing: it names this file, or who asked for it."""
        allowed = {str(folder / self.mutated.file), str(folder / "triaged.yaml")}
        for problem in self.problems:
            found = PLACED.match(problem)
            if found is None:
                return f"no place: {problem}"
            if found["file"] not in allowed:
                return f"another file: {problem}"
        return ""


def _lines(text: str) -> list[int]:
    """Give the numbers of the lines that say something."""
    told = enumerate(text.splitlines())
    return [at for at, line in told if line.strip() and not line.lstrip().startswith("#")]


def _changed(text: str, chance: Random, change: Callable[[str], str]) -> str:
    """Change one line that says something."""
    lines = text.splitlines(keepends=True)
    at = chance.choice(_lines(text))
    lines[at] = change(lines[at])
    return "".join(lines)


def typo(text: str, chance: Random) -> str:
    found = chance.choice(list(KEY.finditer(text)))
    key, at = found["key"], chance.randrange(len(found["key"]))
    wrong = chance.choice([key[:at] + key[at + 1 :], key[:at] + "x" + key[at:], key.upper(), ""])
    return f"{text[: found.start('key')]}{wrong}{text[found.end('key') :]}"


def _value(text: str, chance: Random, choices: Sequence[str]) -> str:
    found = chance.choice([each for each in KEY.finditer(text) if each["value"].strip()])
    wrong = chance.choice(choices)
    return f"{text[: found.start('value')]}{wrong}\n{text[found.end('value') :].lstrip()}"


def wrong_type(text: str, chance: Random) -> str:
    return _value(text, chance, ["[1, 2]", "{a: {b: c}}", "true", "null", "2026-11-27", "[[]]"])


def bad_value(text: str, chance: Random) -> str:
    choices = ["-1", "1e99", '""', "ftp://x", "soon", "secret:", "10 s", "\u202eevil", "~/.x"]
    return _value(text, chance, choices)


def indentation(text: str, chance: Random) -> str:
    return _changed(text, chance, lambda line: chance.choice([f" {line}", f"   {line}", line[1:]]))


def tab(text: str, chance: Random) -> str:
    return _changed(text, chance, lambda line: f"\t{line.lstrip()}")


def twice(text: str, chance: Random) -> str:
    return _changed(text, chance, lambda line: line.rstrip("\n") + "\n" + line)


def left_out(text: str, chance: Random) -> str:
    return _changed(text, chance, lambda _: "")


def unclosed(text: str, chance: Random) -> str:
    mark = chance.choice(
        ['"', "'", "[", "{", "&", "*nobody", "!!python/object:os.system", "@", "%"]
    )
    return _value(text, chance, [f"{mark} x"])


def cut_off(text: str, chance: Random) -> str:
    return text[: chance.randrange(len(text))]


def encoding(text: str, chance: Random) -> bytes:
    raw, at = text.encode(), chance.randrange(len(text))
    stray = chance.choice([b"\xff", b"\xe9", b"\x00", b"\x1b", b"\xed\xa0\x80"])
    return chance.choice(
        [raw[:at] + stray + raw[at:], text.encode("utf-16"), text.encode("utf-32")]
    )


def bomb(text: str, chance: Random) -> str:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12)]
    laughs = "l0: &l0 [ha, ha]\n" + "".join(levels)
    hidden = "values: &a {a: &b {" + "".join(f"k{n}: *b, " for n in range(9)) + "}}\n"
    deep = f"x: {'[' * 5000}{']' * 5000}\n"
    dashes = f"x:\n  {'- ' * 3000}\n"
    keys = "".join(f"k{n}: {n}\n" for n in range(500))
    large = "x" * 2_000_000
    return text + chance.choice([laughs, "me: &me [*me]\n", hidden, deep, dashes, keys, large])


def documents(text: str, chance: Random) -> str:
    return _changed(text, chance, lambda line: f"---\n{line}")


def swapped(text: str, chance: Random) -> str:
    lines = text.splitlines(keepends=True)
    one, other = chance.sample(_lines(text), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def emptied(text: str, chance: Random) -> str:
    return chance.choice(["", "\n\n", "# nothing\n", "text\n", "- list\n", "---\n...\n", text[0]])


KINDS: Sequence[Callable[[str, Random], str | bytes]] = (
    *(typo, wrong_type, bad_value, indentation, tab, twice, left_out, unclosed, cut_off),
    *(encoding, bomb, documents, swapped, emptied),
)


def mutations(seed: int, texts: Mapping[str, str]) -> Iterator[Mutated]:
    """Give broken files without end, all kinds in turn, the same for the same seed."""
    chance = Random(seed)
    while True:
        for kind in KINDS:
            file = chance.choice(tuple(texts))
            content = kind(texts[file], chance)
            raw = content if isinstance(content, bytes) else content.encode("utf-8")
            yield Mutated(kind.__name__, file, raw)
        yield Mutated("missing", "triaged.yaml", None)


def example(folder: Path) -> Mapping[str, bytes]:
    """Write the valid example into a folder; give its files."""
    (folder / "tenants").mkdir(exist_ok=True)
    files = {file: (EXAMPLES / file).read_bytes() for file in FILES}
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return files


def put(folder: Path, mutated: Mutated) -> None:
    """Break one file of the folder."""
    place = folder / mutated.file
    place.unlink() if mutated.content is None else place.write_bytes(mutated.content)


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    """Break one file after the other, read the whole, and mend it again; without end."""
    files = example(folder)
    texts = {file: content.decode("utf-8") for file, content in files.items()}
    for mutated in mutations(seed, texts):
        put(folder, mutated)
        began = monotonic()
        try:
            config.load(folder / "triaged.yaml", registry.platforms())
            problems: Sequence[str] = ()
        except ConfigError as error:
            problems = error.problems
        yield Outcome(mutated, problems, monotonic() - began)
        (folder / mutated.file).write_bytes(files[mutated.file])


def refused(folder: Path, seed: int, wanted: int) -> Iterator[Outcome]:
    """Give so many outcomes that are no valid configuration."""
    for outcome in outcomes(folder, seed):
        if outcome.problems:
            yield outcome
            wanted -= 1
        if not wanted:
            return


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with TemporaryDirectory() as name:
        folder = Path(name)
        told = list(refused(folder, seed=7, wanted=wanted))
        wrong = [(each, why) for each in told if (why := each.objection(folder))]
        for each, why in wrong:
            click.echo(f"WRONG {each.mutated.kind} in {each.mutated.file}: {why}")
        for kind, count in sorted(Counter(each.mutated.kind for each in told).items()):
            shown = next(each for each in told if each.mutated.kind == kind)
            click.echo(f"{count:4} {kind:12} {shown.problems[0].replace(name, '')[:150]}")
        slowest = max(told, key=lambda each: each.seconds)
    click.echo(f"{len(told) - len(wrong)} of {len(told)} refused with file and line; ", nl=False)
    click.echo(f"the slowest in {slowest.seconds:.1f} s ({slowest.mutated.kind})")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
