import logging
from io import StringIO

import pytest
import structlog

from connector import logs, redaction
from connector.model import Secret


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    monkeypatch.setattr(redaction, "_spellings", ())
    stream = StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    logs.configure(stream=stream, json=True)
    yield stream
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "secret", ['pa"ss\\wörd', "s3cret+and/more=", "plain-secret", "l'été d'or"]
)
def test_a_resolved_secret_is_in_no_line_under_whatever_key_and_spelling(spoken, secret) -> None:
    redaction.remember(Secret(secret))
    structlog.get_logger().info("odd", tenant=secret, at=f"https://x/?token={secret}")
    logging.getLogger("some.library").warning("sent %s and %r", secret, secret)
    told = spoken.getvalue()
    assert len(told.splitlines()) == 2
    assert secret[:5] not in told
    assert secret[-5:] not in told
    assert told.count(redaction.HIDDEN) == 4


@pytest.mark.usefixtures("spoken")
def test_of_two_secrets_one_within_the_other_nothing_is_left() -> None:
    for secret in ("secret", "secret-and-more"):
        redaction.remember(Secret(secret))
    assert redaction.redact("a secret-and-more b secret") == "a *** b ***"


@pytest.mark.usefixtures("spoken")
def test_a_secret_as_short_as_a_word_blanks_no_words() -> None:
    redaction.remember(Secret("main"))
    assert redaction.redact("remains of the main") == "remains of the main"
