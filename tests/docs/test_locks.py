import re

from pages import ROOT

_PIN = re.compile(r"^[a-z0-9][\w.-]*==\S+", re.MULTILINE)


def pins(name: str) -> set[str]:
    found = set(_PIN.findall((ROOT / name).read_text("utf-8")))
    assert len(found) > 30
    return found


def test_what_builds_is_what_is_tested_with() -> None:
    assert not pins("requirements-build.lock") - pins("requirements-dev.lock")


def test_what_serves_is_what_is_tested_with() -> None:
    assert not pins("requirements.lock") - pins("requirements-dev.lock")


def test_every_pin_has_a_hash() -> None:
    for path in ROOT.glob("requirements*.lock"):
        blocks = re.split(r"^(?=[a-z0-9])", path.read_text("utf-8"), flags=re.MULTILINE)
        bare = [block.split(" ")[0] for block in blocks if block and "--hash=sha256:" not in block]
        assert not bare, path.name
