import re

import pytest
from pages import ROOT, Block, blocks, name, rows
from ruamel.yaml import YAML

EDITIONS = {
    ROOT / "README.fr.md": ROOT / "README.md",
    ROOT / "docs" / "fr" / "installer.md": ROOT / "docs" / "how-to" / "install.md",
}
_COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)
_PARTS = re.compile(r"^##+ ", re.MULTILINE)

each_edition = pytest.mark.parametrize("french", EDITIONS, ids=name)


def meant(block: Block) -> object:
    """Give what a block says to a machine: comments are in the page's language."""
    if block.kind == "yaml":
        return YAML(typ="safe", pure=True).load(block.text)
    return block.kind, _COMMENT.sub("", block.text)


@each_edition
def test_a_french_page_has_the_commands_and_snippets_of_the_english_one(french) -> None:
    """Who changes one edition is told here to change the other."""
    english = list(blocks(EDITIONS[french]))
    assert english
    assert [meant(block) for block in blocks(french)] == [meant(block) for block in english]


@each_edition
def test_a_french_page_has_the_sections_of_the_english_one(french) -> None:
    counts = {
        page: len(_PARTS.findall(page.read_text("utf-8"))) for page in (french, EDITIONS[french])
    }
    assert len(set(counts.values())) == 1, counts


@each_edition
def test_each_edition_links_to_the_other(french) -> None:
    link = {page: page.read_text("utf-8") for page in (french, EDITIONS[french])}
    assert EDITIONS[french].name in link[french]
    assert french.name in link[EDITIONS[french]]


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    words = [row[0].casefold() for row in rows(ROOT / "docs/reference/glossary.md", "word")]
    assert words == sorted(set(words))
