import inspect

import pytest

from connector import errors
from connector.model import Secret
from connector.ports import SecretRef

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, errors.TriagedError)
]


@pytest.mark.parametrize("error", CLASSES, ids=lambda found: found.__name__)
def test_every_error_tells_its_remedy(error: type[errors.TriagedError]) -> None:
    assert error.__doc__
    assert error.remedy().endswith(".")
    assert "\n" not in error.remedy()


def test_a_message_is_the_place_then_cause_and_remedy() -> None:
    assert str(errors.Gone("ticket 7")) == (
        "ticket 7. The ticket no longer exists on the desk, or our account may not see it."
        " Nothing is left to do for it."
    )


def test_a_configuration_error_is_its_problems() -> None:
    assert str(errors.ConfigError(["a: b", "c: d"])) == "a: b\nc: d"


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} { ({'k': secret}) }"
    assert secret.reveal() == "hunter2"


def test_a_secrets_name_is_told_apart_from_other_text() -> None:
    assert isinstance(SecretRef("name"), str)
    assert not isinstance("name", SecretRef)
