"""The TF-IDF member of the default bundle: a small vocabulary without names, and its answers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from classifiers.build.measure import Answered, Read
from classifiers.build.scores import Floats
from classifiers.build.train import Training, folds, temperature_for
from classifiers.heads import softmax
from classifiers.linear import CHARACTER_GRAMS, WORD_GRAMS, LinearText, Vocabulary
from connector.model import Aspect

VOCABULARY = "vocabulary.json"
MOST_WORDS, MOST_PIECES = 6_000, 12_000
"""n-grams kept, the commonest: twice as many answer no better over the folds."""
FEWEST_WORDS, FEWEST_PIECES = 2, 3
"""Tickets that have to hold an n-gram: one alone is chance, or somebody's name."""
STRENGTH = 10.0
LAST_LINES = 4
"""Lines of a ticket in which it may be signed."""
_SIGNED = re.compile(r"(?:[^\W\d_a-zß-öø-ÿ][\w.'’-]*[ ,]*){1,4}$")
_ADDRESSED = re.compile(
    r"(?:Dear|Hello|Hi|Bonjour|Bonsoir|Ch[eè]re?|Salut|Hallo|Liebe[rs]?|Servus|Moin|Hola|Querid[oa]"
    r"|Estimad[oa]|Mrs?\.?|Ms\.?|Herrn?|Frau|M\.|Mme|Monsieur|Madame|Señora?|Sra?\.|Do[nñ]a?)"
    r" ([^\W\d_a-zß-öø-ÿ][\w'’-]+)(?: ([^\W\d_a-zß-öø-ÿ][\w'’-]+))?"
)
_WORD = re.compile(r"\b\w\w+\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A TF-IDF model with its temperature, and its answers."""

    model: LinearText
    answered: Answered


def fit_words(aspect: Aspect, labels: tuple[str, ...], own: Read) -> Words:
    """Fit on train and valid tickets, with a temperature from their answers while held out."""
    learnt = own.pick("train", "valid")
    gold = [labels.index(label) for label in learnt.gold(aspect)]
    unwanted = names(learnt.texts)
    logits = np.zeros((len(gold), len(labels)))
    for learn, held in folds(_training(learnt, aspect)):
        texts = [learnt.texts[place] for place in learn]
        model = _fitted(texts, [gold[place] for place in learn], len(labels), unwanted)
        logits[held] = [model.logits(learnt.texts[place]) for place in held]
    whole = _fitted(learnt.texts, gold, len(labels), unwanted)
    heat = temperature_for(logits, gold)
    told = LinearText(
        vocabulary=whole.vocabulary,
        idf=whole.idf,
        weights=whole.weights,
        bias=whole.bias,
        temperature=heat,
    )
    asked = [told.probabilities(text) for text in own.pick("test").texts]
    held_out = softmax((logits / heat).astype(np.float32))
    answered = Answered(aspect=aspect, labels=labels, learnt=held_out, test=np.stack(asked))
    return Words(model=told, answered=answered)


def arrays(name: str, model: LinearText) -> Mapping[str, Floats]:
    """Give the arrays that a bundle keeps of the member of that name."""
    return {
        f"{name}.weights": model.weights.T,
        f"{name}.bias": model.bias,
        f"{name}.idf": model.idf,
    }


def names(texts: Iterable[str]) -> set[str]:
    """Find the names with which tickets are signed or people addressed.

    A word that stands in lower case anywhere is none.
    """
    found: set[str] = set()
    plain: set[str] = set()
    for text in texts:
        plain.update(word for word in _WORD.findall(text) if word.islower())
        lines = [line for line in text.split("\n") if line.strip()]
        signed = [line for line in lines[1:][-LAST_LINES:] if _SIGNED.match(line)]
        heads = (line.partition(",")[0] for line in lines[-1:])
        addressed = (word for pair in _ADDRESSED.findall(text) for word in pair)
        for piece in (*signed, *filter(_SIGNED.match, heads), *addressed):
            found.update(word.lower() for word in _WORD.findall(piece))
    return found - plain


def _training(learnt: Read, aspect: Aspect) -> Training:
    count = len(learnt.examples)
    return Training(
        states=learnt.states,
        labels=learnt.gold(aspect),
        clusters=learnt.clusters,
        weights=np.ones(count),
        helpers=np.zeros(count, dtype=bool),
    )


def _fitted(
    texts: Sequence[str], gold: Sequence[int], labels: int, unwanted: set[str]
) -> LinearText:
    words = _counted(
        texts, unwanted, ngram_range=WORD_GRAMS, min_df=FEWEST_WORDS, max_features=MOST_WORDS
    )
    pieces = _counted(
        texts,
        unwanted,
        analyzer="char_wb",
        ngram_range=CHARACTER_GRAMS,
        min_df=FEWEST_PIECES,
        max_features=MOST_PIECES,
    )
    union = FeatureUnion([("words", words), ("pieces", pieces)])
    model = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced")
    model.fit(union.fit_transform(texts), gold)
    weights = np.zeros((labels, model.coef_.shape[1]), np.float32)
    bias = np.full(labels, float(np.min(model.intercept_)) - 1.0, np.float32)
    weights[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    offset = len(words.vocabulary_)
    return LinearText(
        vocabulary=Vocabulary(
            words={gram: int(place) for gram, place in words.vocabulary_.items()},
            characters={gram: int(place) + offset for gram, place in pieces.vocabulary_.items()},
        ),
        idf=np.concatenate([words.idf_, pieces.idf_]).astype(np.float32),
        weights=np.ascontiguousarray(weights.T),
        bias=bias,
        temperature=1.0,
    )


def _counted(texts: Sequence[str], unwanted: set[str], **how: Any) -> TfidfVectorizer:
    """Choose the n-grams, then drop those with a name in them."""
    chosen = TfidfVectorizer(sublinear_tf=True, **how).fit(texts).vocabulary_
    kept = sorted(gram for gram in chosen if unwanted.isdisjoint(gram.split()))
    told = {key: value for key, value in how.items() if key not in {"min_df", "max_features"}}
    return TfidfVectorizer(sublinear_tf=True, vocabulary=kept, **told)
