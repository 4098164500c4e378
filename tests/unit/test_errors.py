import inspect

import pytest
from pydantic import BaseModel, ValidationError

from connector import errors
from connector.model import Secret
from connector.ports import SecretName, SecretRef

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


class Options(BaseModel):
    token: SecretName
    account: str


def test_a_secrets_name_is_told_apart_from_other_text() -> None:
    options = Options(token="secret:acme.desk-token_1", account="acme.desk-token_1")
    assert options.token == options.account == "acme.desk-token_1"
    assert isinstance(options.token, SecretRef)
    assert not isinstance(options.account, SecretRef)


@pytest.mark.parametrize("text", ["hunter2", "secret:", "secret:two words", "secret:../name", ""])
def test_a_secret_in_clear_is_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options(token=text, account="acme")
    [problem] = caught.value.errors()
    assert (problem["type"], problem["loc"]) == ("secret_in_clear", ("token",))
    assert "write `secret:NAME`" in problem["msg"]
