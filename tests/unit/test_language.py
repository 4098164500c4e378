import pytest
from structlog.testing import capture_logs

from classifiers import language


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "My laptop does not start since this morning, could someone have a look?"),
        ("fr", "Depuis ce matin mon ordinateur ne démarre plus, pouvez-vous regarder ?"),
        ("de", "Seit heute früh startet mein Rechner nicht mehr, bitte um Hilfe."),
        ("es", "Desde esta mañana mi ordenador no arranca, ¿podéis mirarlo?"),
        ("it", "Da stamattina il mio computer non si accende più, potete aiutarmi?"),
        ("pl", "Od rana mój komputer się nie włącza, proszę o pomoc."),
        ("de", "DER DRUCKER IM ZWEITEN STOCK DRUCKT NICHT MEHR, BITTE DRINGEND PRÜFEN"),
    ],
)
def test_a_sentence_is_recognised(code: str, text: str) -> None:
    assert language.identify(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "   ", "VPN", "ok thanks", "0x80070005", "😀😀😀", "????", "12345 67890", "\x00" * 50],
)
def test_what_is_too_short_to_tell_gives_nothing(text: str) -> None:
    assert language.identify(text) == ""


@pytest.mark.parametrize("text", ["\ud800 lone surrogate in an English sentence here", "x" * 10**6])
def test_no_text_raises(text: str) -> None:
    assert language.identify(text) in {"", "en"}


def test_warming_loads_once() -> None:
    language.warm()
    assert language._identifier() is language._identifier()


def test_without_a_temporary_folder_the_language_is_unknown_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    language._identifier.cache_clear()
    with capture_logs() as logs:
        assert language.identify("My laptop does not start since this morning.") == ""
    assert [entry["event"] for entry in logs] == ["languages_unknown"]
    language._identifier.cache_clear()
