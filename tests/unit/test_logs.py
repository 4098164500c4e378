import io
import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from connector import logs


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    logs.configure(stream=stream, json=True)
    yield stream
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_sentences_masked(told: io.StringIO) -> None:
    structlog.get_logger().warning(
        "tenant_paused", tenant="acme", error="mail ana@acme.example\nand call"
    )
    [line] = lines(told)
    assert line["event"] == "tenant_paused"
    assert line["error"] == "mail <EMAIL>\nand call"
    assert (line["level"], line["tenant"]) == ("warning", "acme")


def test_a_librarys_warning_has_the_same_form_and_no_traceback(told: io.StringIO) -> None:
    try:
        int("canary")
    except ValueError:
        logging.getLogger("some.library").exception("failed for ana@acme.example")
    logging.getLogger("some.library").info("not told")
    [line] = lines(told)
    assert (line["event"], line["logger"]) == ("failed for <EMAIL>", "some.library")
    assert "canary" not in told.getvalue()


def test_the_place_of_an_error_is_told_without_its_words() -> None:
    try:
        int("canary")
    except ValueError as error:
        told = logs.place(error)
    assert told.startswith("test_logs.py:")
    assert logs.place(None) == "unknown"


@pytest.mark.parametrize("is_journal", [True, False])
def test_the_journal_is_told_how_grave_each_line_is(tmp_path, monkeypatch, is_journal) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    with (tmp_path / "stream").open("w+", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        inode = found.st_ino if is_journal else found.st_ino + 1
        monkeypatch.setenv(logs.JOURNAL_STREAM, f"{found.st_dev}:{inode}")
        logs.configure(stream=stream, json=True)
        structlog.get_logger().info("ready")
        structlog.get_logger().error("loop_stuck", loop="web")
        logging.getLogger("some.library").warning("odd")
        structlog.reset_defaults()
        root.handlers[0].flush()
        stream.seek(0)
        told = stream.read().splitlines()
    expected = ["<6>{", "<3>{", "<4>{"] if is_journal else ["{"] * 3
    assert [line[: len(start)] for line, start in zip(told, expected, strict=True)] == expected
