"""Configurations broken at random: each is refused with file and line, and soon."""

from collections import Counter

import pytest
from mutations import KINDS, PLACED, bomb, example, refused

from connector import config, registry, yamlfile
from connector.errors import ConfigError


def test_every_broken_configuration_is_refused_with_file_and_line(tmp_path) -> None:
    told = list(refused(tmp_path, seed=20, wanted=45))
    assert not [(each.mutated, why) for each in told if (why := each.objection(tmp_path))]
    kinds = Counter(each.mutated.kind for each in told)
    assert set(kinds) == {"missing", *(kind.__name__ for kind in KINDS)}


def test_the_example_that_is_broken_is_right(tmp_path) -> None:
    example(tmp_path)
    assert config.load(tmp_path / "triaged.yaml", registry.platforms()).tenants


class Nth:
    """Chooses what a test wants."""

    def __init__(self, number: int) -> None:
        self._number = number

    def choice(self, choices: list[str]) -> str:
        return choices[self._number]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "its aliases stand for more values than any configuration has"),
        (1, "me: unknown key"),
        (2, "values: unknown key"),
        (3, "is nested too deeply"),
        (4, "is nested too deeply"),
        (5, "and 450 problems more"),
        (6, "is larger than 256 KiB"),
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(tmp_path, number, message) -> None:
    example(tmp_path)
    place = tmp_path / "triaged.yaml"
    place.write_text(bomb(place.read_text("utf-8"), Nth(number)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(place, registry.platforms())
    assert any(message in problem for problem in caught.value.problems)
    assert all(PLACED.match(problem) for problem in caught.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        "a: {" + ", ".join(f"k{n}: [{n}]" for n in range(200)) + "}\n",
        "a: " + "one - two " * 20 + "- " * 40 + "three\n",
        f"a: '{'[' * 50}'\n",
        f"a: 1  # {'{' * 50}\n",
        "a: &a {b: 1}\nc: *a\nd: *a\n",
    ],
)
def test_what_only_looks_like_a_bomb_is_read(tmp_path, text) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert "a" in yamlfile.read(tmp_path / "a.yaml").data
