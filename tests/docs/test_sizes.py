import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pages import ROOT, name

PACKAGES = ("connector", "adapters", "classifiers")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted(path for folder in ("docs", "package") for path in (ROOT / folder).glob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 60
USUAL_FUNCTION_LINES = 35
VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
MAY_CATCH_ALL = {"connector/worker.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_file_can_be_read_in_one_sitting() -> None:
    every = [*CODE, *TESTS, *SCRIPTS]
    lines = {name(path): len(path.read_text("utf-8").splitlines()) for path in every}
    assert not {path: count for path, count in lines.items() if count > FILE_LINES}


def test_no_function_is_longer_than_a_page() -> None:
    assert not [
        f"{name(path)}: {node.name}"
        for path in CODE
        for node in functions(path)
        if length(node) > FUNCTION_LINES
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_most_functions_are_short(package) -> None:
    paths = (path for path in CODE if path.is_relative_to(ROOT / package))
    lengths = sorted(length(node) for path in paths for node in functions(path))
    assert lengths[int(len(lengths) * 0.95)] <= USUAL_FUNCTION_LINES


def test_nothing_catches_everything_but_the_workers_loop() -> None:
    found = {name(path) for path in CODE if any(map(catches_all, ast.walk(tree(path))))}
    assert found <= MAY_CATCH_ALL


def catches_all(node: ast.AST) -> bool:
    """Cleaning up and raising again is no catching."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = {each.id for each in ast.walk(node.type or node) if isinstance(each, ast.Name)}
    raises = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return not raises and (node.type is None or bool(kinds & {"Exception", "BaseException"}))


def test_a_module_says_in_its_first_line_what_it_owns() -> None:
    told = {name(path): (ast.get_docstring(tree(path)) or "").split("\n") for path in CODE}
    assert not [
        path for path, (first, *rest) in told.items() if first[-1:] != "." or (rest and rest[0])
    ]


def test_a_module_is_named_after_what_it_owns() -> None:
    assert not [name(path) for path in CODE if path.stem in VAGUE]


def test_a_catch_all_is_noticed() -> None:
    [wide] = ast.parse("try: pass\nexcept (KeyError, Exception): pass").body
    [cleanup] = ast.parse("try: pass\nexcept BaseException:\n    print()\n    raise").body
    assert any(map(catches_all, ast.walk(wide)))
    assert not any(map(catches_all, ast.walk(cleanup)))
