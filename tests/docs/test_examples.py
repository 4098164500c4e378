import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT, Block, blocks
from ruamel.yaml import YAML

from connector import config, registry
from connector.settings import DaemonSettings, TenantSettings

EXAMPLES = ROOT / "config"
TENANT = EXAMPLES / "tenants" / "zendesk-example.yaml"
TENANTS = sorted(EXAMPLES.glob("tenants/*-example.yaml"))
YAML_BLOCKS = [block for page in PAGES for block in blocks(page) if block.kind == "yaml"]


def parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return found


def dumped(content: Mapping[str, Any]) -> str:
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(dict(content), stream)
    return stream.getvalue()


def load(folder: Path, daemon: str, tenant: str) -> config.Configuration:
    (folder / "tenants").mkdir()
    (folder / "triaged.yaml").write_text(daemon, encoding="utf-8")
    (folder / "tenants" / "one.yaml").write_text(tenant, encoding="utf-8")
    return config.load(folder / "triaged.yaml", registry.platforms(), any_bundle=True)


def test_the_example_configuration_loads() -> None:
    loaded = config.load(EXAMPLES / "triaged.yaml", registry.platforms())
    assert [tenant.tenant for tenant in loaded.tenants] == [
        "acme-desk",
        "acme-rt",
        "acme-it",
        "acme",
    ]


def test_every_platform_but_the_one_for_trying_out_has_an_example() -> None:
    named = {path.name.removesuffix("-example.yaml") for path in TENANTS}
    assert named == set(registry.platforms()) - {"memory"}


def test_the_example_of_the_daemon_shows_the_defaults() -> None:
    loaded = config.load(EXAMPLES / "triaged.yaml", registry.platforms())
    assert loaded.daemon == DaemonSettings()


def test_the_example_tenants_begin_without_writing_anything() -> None:
    for tenant in config.load(EXAMPLES / "triaged.yaml", registry.platforms()).tenants:
        assert {settings.mode for _, settings in tenant.aspects.active()} == {"shadow"}


def test_the_examples_name_every_key() -> None:
    written = "".join(path.read_text("utf-8") for path in (*TENANTS, EXAMPLES / "triaged.yaml"))
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    keys = {
        line.split("`")[1].rpartition(".")[2] for line in page.splitlines() if line[:3] == "| `"
    }
    assert not [key for key in sorted(keys) if f"{key}:" not in written]


@pytest.mark.parametrize(
    ("path", "schema"),
    [(EXAMPLES / "triaged.yaml", "triaged"), *((path, "tenant") for path in TENANTS)],
    ids=lambda each: getattr(each, "name", each),
)
def test_an_example_fits_the_schema(path, schema) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    wanted = json.loads((EXAMPLES / f"{schema}.schema.json").read_text("utf-8"))
    jsonschema.validate(parsed(path.read_text("utf-8")), wanted)


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=lambda block: block.place)
def test_a_yaml_block_loads(block: Block, tmp_path) -> None:
    """A piece of a file is put into the example's place for it."""
    content = parsed(block.text)
    keys = set(content)
    if keys <= set(TenantSettings.model_fields):
        load(tmp_path, "{}\n", dumped({**parsed(TENANT.read_text("utf-8")), **content}))
    else:
        assert keys <= set(DaemonSettings.model_fields), f"{block.place} is neither file"
        load(tmp_path, block.text, TENANT.read_text("utf-8"))


def test_a_whole_tenant_file_on_a_page_loads_by_itself(tmp_path) -> None:
    whole = [block for block in YAML_BLOCKS if {"tenant", "desk"} <= set(parsed(block.text))]
    assert whole
    for number, block in enumerate(whole):
        folder = tmp_path / str(number)
        folder.mkdir()
        load(folder, "{}\n", block.text)
