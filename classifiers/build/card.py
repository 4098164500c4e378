"""The bundle's README.md, rendered from its manifest: figures, sources, and what it is not for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TITLES = {
    "category": "Category",
    "category_by_description_alone": "Category, by descriptions alone (any tenant's own labels)",
    "priority": "Priority",
    "sentiment": "Sentiment",
}


def render(described: Mapping[str, Any]) -> str:
    """Give the card as Markdown."""
    metrics = described["metrics"]
    parts = [
        _opening(described),
        *(_aspect(title, metrics[name]) for name, title in TITLES.items()),
        _encoder(described, metrics["fidelity"]),
        _limits(),
        _credits(described),
    ]
    return "\n".join(parts)


def _opening(described: Mapping[str, Any]) -> str:
    return f"""# {described["name"]} {described["version"]}

Reads a help-desk ticket (subject and first message) and answers category, priority and sentiment,
with a calibrated confidence and a sentence of reason; abstains below {_percent(0.5)}. Made on
{described["created"]} by `triaged models build`. Languages measured:
{", ".join(described["languages"])}.

## How it was measured

The tickets were invented for this project, in four languages; near-duplicates stay together.
60 % are train, 20 % valid, 20 % test, by a hash of the ticket's id. *Test* was used for nothing but
the figures below. It is small (its macro-F1 may lie 0.04 off by chance), so the figure over five
folds of train and valid stands beside it; regularisation and temperature were chosen on these.
Everything was fitted and measured on the int8 model that is served. Each answer is the mean of a
head on the encoder and a small TF-IDF model (category: of the label descriptions too). *Linear* is
TF-IDF of words and characters with logistic regression alone, learnt from the same tickets;
*majority* always says the commonest label.

A translation of a ticket is in the same part and the same fold as what it translates.

On the tickets of a real desk expect less, and measure before you trust.
"""


def _aspect(title: str, measured: Mapping[str, Any]) -> str:
    test, folds = measured["test"], measured["folds"]
    rows = [
        ("this bundle", test["macro_f1"], folds["macro_f1"]),
        ("linear", test["linear"], folds["linear"]),
        ("majority", test["majority"], None),
    ]
    blocks = [
        f"## {title}\n",
        _table(
            ("macro-F1", f"test ({test['n']})", f"five folds ({folds['n']})"),
            [(name, _figure(one), _figure(other)) for name, one, other in rows],
        ),
        _table(
            ("language", "n", "test", "linear", "n", "five folds", "linear"),
            _languages(test, folds),
        ),
        *_claims(measured.get("claims")),
        _table(
            ("label", "n", "precision", "recall"),
            [
                (name, each["n"], _figure(each["precision"]), _figure(each["recall"]))
                for name, each in test["per_class"].items()
            ],
        ),
        _answered(test, folds),
        _table(
            ("confidence", "n", "mean confidence", "right"),
            [
                (
                    f"from {row['from']:.1f}",
                    row["n"],
                    _figure(row["confidence"]),
                    _figure(row["right"]),
                )
                for row in measured["reliability"]
            ],
        ),
    ]
    if aside := measured.get("labels_kept_aside"):
        blocks.append(
            "With two labels at a time kept out of the fit and then asked about: expected"
            f" calibration error {_figure(aside['ece'])}; answered {_percent(aside['coverage'])},"
            f" of which {_percent(aside['precision'])} right.\n"
        )
    return "\n".join(blocks)


def _answered(test: Mapping[str, Any], folds: Mapping[str, Any]) -> str:
    one, other = test["answered"], folds["answered"]
    return (
        f"Answered at confidence {one['least']:.2f} and above: {_percent(one['coverage'])} of the"
        f" test tickets, {_percent(one['precision'])} of them right (folds:"
        f" {_percent(other['coverage'])}, {_percent(other['precision'])}). Expected calibration"
        f" error {_figure(test['ece'])} (folds: {_figure(folds['ece'])}). Reliability over the"
        " folds:\n"
    )


def _languages(test: Mapping[str, Any], folds: Mapping[str, Any]) -> Iterable[Sequence[object]]:
    for language, one in test["languages"].items():
        other = folds["languages"][language]
        yield (
            language,
            one["n"],
            _figure(one["macro_f1"]),
            _figure(test["linear_languages"][language]["macro_f1"]),
            other["n"],
            _figure(other["macro_f1"]),
            _figure(folds["linear_languages"][language]["macro_f1"]),
        )


def _claims(claims: Mapping[str, Any] | None) -> Iterable[str]:
    """Tell from which confidence on other languages than English are answered, and why."""
    if not claims:
        return
    if claims["bar"] is None:
        yield "Answered in English only: held-out translations too often got another label.\n"
        return
    yield (
        f"Other languages than English are answered from {_percent(claims['bar'])} on: the lowest"
        " confidence at which held-out translations get their original's label in at least"
        " 85 % of cases.\n"
    )
    yield _table(
        ("language", "same label", "of", "translated"),
        [
            (language, _percent(one["alike"]), one["n"], one["translated"])
            for language, one in claims["languages"].items()
        ],
    )


def _encoder(described: Mapping[str, Any], fidelity: Mapping[str, Any]) -> str:
    encoder = next(iter(described["encoders"].values()))
    return f"""## Encoder

{encoder["tokens"]} tokens of a text are read; of a longer one the last {encoder["tail"]} and the
first of the rest. Each text gives {encoder["states"]} pooled states of {encoder["size"]} numbers in
one pass. The largest difference that conversion to DistilBERT made on test tickets is
{fidelity["conversion_largest_difference"]}; int8 keeps a mean cosine of
{fidelity["int8_cosine_mean"]:.3f} to fp32 (least {fidelity["int8_cosine_least"]:.3f}).
"""


def _limits() -> str:
    return """## What it is not good for

- **Languages other than English.** The encoder was trained on English. In French, German and
  Spanish the answers live on shared words and on what was learnt from few tickets; they are weaker
  there (see the tables), and answered only with more confidence where that is needed for a ticket
  to get the same label in each language. Other languages are abstained on when they are recognised.
- **Your categories.** The six seed labels are a beginning. Your own labels work at once by their
  descriptions, and are only as good as these; a model learnt on your own history is better.
- **Priority** as a fact. It reads impact and urgency from the text alone and knows neither your
  service levels nor who the requester is.
- **Sentiment** of irony, and of resigned politeness: negative tickets without any harsh word are
  what it misses most.
- **Very short texts.** A subject line alone carries little; it was learnt from whole tickets.
- **Senseless text** with letters in it still gets a priority and a sentiment, and now and then a
  seed category. By descriptions alone it is almost always abstained on. Text without any letter is
  abstained on by all.
"""


def _credits(described: Mapping[str, Any]) -> str:
    data = _table(
        ("data", "rows", "licence", "attribution"),
        [
            (one["name"], one["rows"], one["licence"], one["attribution"])
            for one in described["data"]
        ],
    )
    licences = _table(
        ("part", "licence", "attribution"),
        [(one["what"], one["licence"], one["attribution"]) for one in described["licences"]],
    )
    return f"## Sources and licences\n\n{data}\n{licences}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value * 100:.0f} %"
