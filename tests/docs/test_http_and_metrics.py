import ast
import re

from pages import ROOT, code, rows
from prometheus_client.metrics_core import Metric

from connector.metrics import Metrics
from connector.model import Action, TenantId
from connector.pipeline import Next
from connector.web import api

REFERENCE = ROOT / "docs" / "reference"


def served() -> set[str]:
    application = api.create(intake=None, counts=bytes, unready=lambda: "")  # type: ignore[arg-type]
    return {
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for route in application.routes
        for method in (route.methods or ())  # type: ignore[attr-defined]
        if method != "HEAD"
    }


def test_the_page_names_every_route_and_no_other() -> None:
    named = [code(row[0])[0] for row in rows(REFERENCE / "http.md", "call")]
    assert sorted(named) == sorted(served())


def test_the_page_names_the_limits_that_hold() -> None:
    page = (REFERENCE / "http.md").read_text("utf-8")
    assert api.MOST_BYTES == 1 << 20
    assert "1 MiB" in page
    assert f"Retry-After: {api.RETRY_AFTER}" in page


def counted() -> list[Metric]:
    metrics = Metrics()
    metrics.received(TenantId("acme"), "poll", 1)
    return list(metrics._registry.collect())


def shown(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def test_the_page_names_every_metric_with_its_kind() -> None:
    told = {code(row[0])[0]: row[1] for row in rows(REFERENCE / "metrics.md", "metric")}
    assert told == {shown(metric): metric.type for metric in counted()}


def test_the_page_names_the_labels_of_every_metric() -> None:
    told = {
        code(row[0])[0]: tuple(code(row[2])) for row in rows(REFERENCE / "metrics.md", "metric")
    }
    metrics = Metrics()
    labels = {
        shown(metric): collector._labelnames
        for collector in metrics._registry._collector_to_names
        for metric in collector.describe()  # type: ignore[attr-defined]
    }
    assert told == labels


def test_the_page_names_every_action_and_ending() -> None:
    page = REFERENCE / "metrics.md"
    assert [code(row[0])[0] for row in rows(page, "action")] == [str(action) for action in Action]
    [endings] = [row[3] for row in rows(page, "metric") if "triaged_tickets_total" in row[0]]
    assert code(endings) == [ending.value for ending in Next]


def logged() -> dict[str, tuple[str, set[str]]]:
    """Collect every event in the code, with its level and keys."""
    found = {}
    for package in ("connector", "adapters", "classifiers"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                if not call or getattr(node.func.value, "id", "") != "_log":
                    continue
                event = ast.literal_eval(node.args[0])
                found[event] = (node.func.attr, {str(key.arg) for key in node.keywords})
    return found


def test_the_page_names_every_log_event_with_level_and_keys() -> None:
    told = {
        code(row[0])[0]: (row[1], set(code(row[3]))) for row in rows(REFERENCE / "logs.md", "event")
    }
    assert told == logged()


def test_an_event_of_the_how_to_pages_exists() -> None:
    words = re.compile(r"(?:tenant|ticket|webhook|worker|desk|history)_[a-z_]+")
    known = {*logged(), "ticket_id"}
    pages = [*ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/explanation/*.md")]
    named = {span for page in pages for span in code(page.read_text("utf-8"))}
    assert not {span for span in named if words.fullmatch(span)} - known
