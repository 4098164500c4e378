import json
import re

import pytest
from click.testing import CliRunner
from pages import ROOT, generator

from connector import registry

GENERATED = generator().pages()


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_says_what_the_code_says(path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path], "run `make docs`"


def test_no_manual_page_is_left_of_a_command_that_is_gone() -> None:
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("share/man/**/*") if path.is_file()}
    assert there == {path for path in GENERATED if path.startswith("share/")}


def test_generating_twice_gives_the_same() -> None:
    assert generator().pages() == GENERATED


def test_check_fails_when_a_file_is_out_of_date_and_writes_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(generator(), "ROOT", tmp_path)
    result = CliRunner().invoke(generator().main, ["--check"])
    assert result.exit_code == 1
    assert "docs/reference/errors.md is out of date" in result.output
    assert not list(tmp_path.iterdir())


def test_a_front_page_without_a_place_for_the_platforms_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"README\.md"):
        generator().front_page("# triaged\n\n<!-- platforms -->\n")


def test_the_front_page_says_of_every_platform_which_rules_it_does_not_keep() -> None:
    page = GENERATED["README.md"]
    for path in (ROOT / "adapters").glob("*/quality.yaml"):
        (row,) = [line for line in page.splitlines() if f"adapters/{path.parent.name}/RE" in line]
        text = path.read_text("utf-8")
        done, exempt = text.count(": done\n"), text.count("    exempt:")
        assert f"| {done} of {done + exempt}" in row
        assert ("; not: " in row) == bool(exempt)


def test_the_webhook_secret_of_a_desk_is_nowhere_offered() -> None:
    assert not [path for path, text in GENERATED.items() if "webhook_secret" in text]


def test_every_platform_that_comes_with_us_has_a_section() -> None:
    page = GENERATED["docs/reference/configuration.md"]
    known = registry.platforms()
    ours = {name for name in known if known[name].options.__module__.startswith("adapters.")}
    assert set(re.findall(r"^## desk: platform (\w+)$", page, re.MULTILINE)) == ours


def test_the_schema_chooses_the_desk_by_its_platform() -> None:
    schema = json.loads(GENERATED["config/tenant.schema.json"])
    for choice in schema["properties"]["desk"]["anyOf"]:
        desk = schema["$defs"][choice["$ref"].rpartition("/")[2]]
        assert "const" in desk["properties"]["platform"]
        assert "platform" in desk["required"]
        assert desk["additionalProperties"] is False


def test_every_schema_definition_that_is_referred_to_is_there() -> None:
    for path in ("config/tenant.schema.json", "config/triaged.schema.json"):
        found = re.findall(r'"#/\$defs/(\w+)"', GENERATED[path])
        assert set(found) == set(json.loads(GENERATED[path])["$defs"])
