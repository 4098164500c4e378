import re

from pages import PAGES, ROOT, anchors, each_page, links, name, spans

_PATH = re.compile(r"(?:docs|config|systemd|tests|connector|adapters|classifiers)/[\w./*-]+")
_FOREIGN = re.compile(r"[a-z]+:")


@each_page
def test_every_relative_link_and_anchor_resolves(page) -> None:
    broken = []
    for link in links(page):
        if _FOREIGN.match(link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert not broken


@each_page
def test_every_path_of_the_repository_that_a_page_names_exists(page) -> None:
    named = [span for span in spans(page) if _PATH.fullmatch(span)]
    assert not [path for path in named if not list(ROOT.glob(path.rstrip("/")))]


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, left = set(), [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        left += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in links(page)
            if not _FOREIGN.match(link) and link[0] != "#"
        ]
    alone = {ROOT / "CONTRIBUTING.md"}  # the forge shows it to whoever opens a pull request
    assert not [name(page) for page in PAGES if page not in reached | alone]
