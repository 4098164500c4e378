"""What machines wrote into a message: stack traces, logs, console sessions pasted by people."""

import re

_LINE = re.compile(
    # a date with seconds, as logs write it
    r"\W{0,2}(?:\d{4}[-/]\d\d[-/]\d\d[T ]|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} +\d{1,2} )\d\d:\d\d:\d\d"
    r"|\W{0,2}\d\d:\d\d:\d\d[.,]\d{3}"
    # stack traces
    r"|(?:at|bei|en|à) [\w$.<>/`\[\]]+[.:][\w$.<>`\[\]]+ ?\(|\.\.\. \d+ (?:more|common frames)"
    r"|Traceback \(most recent call|File \"[^\"]+\", line \d|(?:Caused by|Exception in thread)\b"
    r"|[\w$]+(?:\.[\w$]+)+(?:Exception|Error|Timeout|Fault)\b"
    # PowerShell
    r"|At (?:line|.{1,200}\.ps1):\d+ char:\d|\+ |[A-Z][a-z]+-[A-Z]\w+ : "
    # JSON, prompts
    r"|[\[{]+\"|[A-Z]:\\[^>\n]{0,200}>|[\w.-]+@[\w.-]+:\S*[$#]|[$#] \S"
)
_HEXADECIMAL = re.compile(r"\b0x[0-9a-fA-F]{8,}|\bversion:? \d+(?:\.\d+){3}")
_FIELD = re.compile(r"[A-Z][A-Za-z]*(?: [A-Za-z]+){0,2} ?:(?: |$)")
"""What event logs write above their codes; by itself, people write so too."""
_ASSIGNMENTS = re.compile(r"\w ?= ?\S.*\w ?= ?\S")
_CODE = re.compile(r"[=\\{}<>|;]|\w\(|::|\w_\w|\w/\w+/|\w\.\w+\.\w|\w\]|\[\w")
_SIGN = re.compile(r"[=\\{}<>|;(\[\"$#+_]|:\d|0x|version|Exception|\.\.\.")
"""What every machine's line has, or its neighbours: most tickets hold too few to look closer."""
_ADDRESS = re.compile(r"https?://|\S@\S")
_LONGEST_LINE = 500  # characters looked at
_MUCH_CODE = 0.35  # of a line's words
_FEWEST_LINES = 3  # that machines wrote: one error message is part of what a person tells
_DENSE = 0.5  # of a dump's lines; between them stand some that could be anybody's
_LARGEST_GAP = 2
_WORD = re.compile(r"[^\W\d_]{2,}")
_OWN_WORDS = 8  # that have to be left: "see log" is told by the log


def without_dumps(text: str, beside: str = "") -> str:
    """Give a tidy text without logs and stack traces, where enough of a person's words are left.

    Words that stand elsewhere, `beside`, count too.
    """
    if text.count("\n") < _FEWEST_LINES - 1 or len(_SIGN.findall(text)) < _FEWEST_LINES:
        return text
    lines = text.split("\n")
    written = [_by_machine(line) for line in lines]
    if sum(written) < _FEWEST_LINES:
        return text
    kept: list[str] = []
    at = 0
    while at < len(lines):
        length, dumped = _run(lines, written, at) if written[at] else (1, False)
        if not dumped:
            kept += lines[at : at + length]
        while dumped and kept and _FIELD.match(kept[-1]):
            kept.pop()
        at += length
    own = "\n".join(kept)
    words = len(_WORD.findall(own)) + len(_WORD.findall(beside))
    return own.strip() if words >= _OWN_WORDS and _WORD.search(own) else text


def _run(lines: list[str], written: list[bool], at: int) -> tuple[int, bool]:
    """Count the lines from `at` to the last of a machine's that follow closely; is it a dump?"""
    last, gap, machine, filled, dense = at, 0, 0, 0, 0
    for place in range(at, len(lines)):
        filled += bool(lines[place])
        gap += 1
        if written[place]:
            last, gap, machine, dense = place, 0, machine + 1, filled
        if gap > _LARGEST_GAP:
            break
    return last - at + 1, machine >= _FEWEST_LINES and machine >= _DENSE * dense


def _by_machine(line: str) -> bool:
    head = line[:_LONGEST_LINE]
    if _LINE.match(head) or _ASSIGNMENTS.search(head) or _HEXADECIMAL.search(head):
        return True
    words = head.split()
    code = sum(_CODE.search(word) is not None and not _ADDRESS.search(word) for word in words)
    return code > 0 and code >= _MUCH_CODE * len(words)
