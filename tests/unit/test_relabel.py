"""Own names for a bundle's labels: what is answered, and what is still promised."""

import numpy as np
import pytest

from classifiers.calibration import Temperature
from classifiers.dial import promised, promises
from classifiers.ensemble import Distilbert, Ensemble
from classifiers.heads import Pass, Vector, View
from classifiers.relabel import Held, relabelled
from classifiers.zeroshot import Calibration, Space, ZeroShot, describe
from connector.model import Aspect
from connector.ports import StandsFor

LABELS = ("vpn", "wifi", "hardware")
PLACES = {"toner": [1.0, 0.0], "notebook": [0.0, 1.0]}


def described(labels) -> ZeroShot:
    return describe(
        labels,
        embed=lambda texts: [np.array(PLACES[text], np.float32) for text in texts],
        space=Space(mean=np.zeros(2, np.float32)),
        calibration=Calibration(sharpness=20.0, nothing=-1.0),
    )


def view(shares: list[float], place: str = "toner") -> View:
    logits = np.log(np.array(shares, np.float32))
    told = Pass(states=np.zeros((1, 2), np.float32), outputs={"kind": logits})
    return View(vector=np.array(PLACES[place], np.float32), passes={"own": told})


def held() -> Held:
    """Give 200 answers: VPN and Wi-Fi are taken for each other in a third, hardware never is."""
    generator = np.random.default_rng(7)
    gold = np.arange(200) % 3
    shares: Vector = np.full((200, 3), 0.02, np.float32)
    said = np.where((gold < 2) & (generator.random(200) < 1 / 3), 1 - gold, gold)
    shares[np.arange(200), said] = 0.6 + 0.3 * generator.random(200)
    network = np.flatnonzero(gold < 2)
    shares[network, 1 - said[network]] = 0.96 - shares[network, said[network]]
    return Held(shares=shares, gold=gold.astype(np.intp))


def ensemble(evidence: Held | None) -> Ensemble:
    fitted = promises(evidence.shares, evidence.gold, LABELS) if evidence else {}
    return Ensemble(
        aspect=Aspect.CATEGORY,
        labels=LABELS,
        members=(Distilbert(encoder="own", output="kind", temperature=1.0),),
        shares=(1.0,),
        calibration=Temperature(value=1.0),
        abstain_below=0.5,
        promises=fitted,
    )


def names(**own: tuple[str, ...]) -> dict[str, StandsFor]:
    return {name: StandsFor(labels=labels) for name, labels in own.items()}


def test_a_renamed_label_keeps_its_answer_and_its_promise() -> None:
    evidence = held()
    before = ensemble(evidence)
    after = relabelled(before, names(devices=("hardware",)), evidence, described)
    asked = view([0.1, 0.1, 0.8])
    assert after.labels == ("vpn", "wifi", "devices")
    assert after.predict(asked).label == "devices"
    assert after.predict(asked).confidence == before.predict(asked).confidence
    assert after.promises["devices"] == before.promises["hardware"]
    assert after.promises["vpn"] == before.promises["vpn"]


def test_merged_labels_add_up_and_are_promised_what_they_kept_together() -> None:
    evidence = held()
    before = ensemble(evidence)
    after = relabelled(before, names(network=("vpn", "wifi")), evidence, described)
    answer = after.predict(view([0.44, 0.46, 0.1]))
    assert before.predict(view([0.44, 0.46, 0.1])).label is None, "neither alone is sure enough"
    assert (answer.label, answer.confidence) == ("network", pytest.approx(0.9))
    assert [label for label, _ in answer.ranking] == ["network", "hardware"]
    # All 134 are right as one: the bound is that of 134 of 134, reckoned by hand.
    assert max(bound for _, bound in after.promises["network"]) == pytest.approx(
        134 / (134 + 1.645**2), abs=1e-3
    )
    assert promised(before.promises["vpn"], 0.99) < 0.8


def test_a_name_that_the_bundle_has_too_takes_the_merged_one_in() -> None:
    after = relabelled(ensemble(None), names(hardware=("wifi",)), None, described)
    assert after.labels == ("vpn", "hardware")
    assert after.predict(view([0.1, 0.5, 0.4])).confidence == pytest.approx(0.9)


def test_a_split_label_is_told_apart_by_words_and_promised_nothing() -> None:
    evidence = held()
    own = {
        "printing": StandsFor(labels=("hardware",), words=("toner",)),
        "devices": StandsFor(labels=("hardware",), words=("notebook",)),
    }
    after = relabelled(ensemble(evidence), own, evidence, described)
    for place, wanted in (("toner", "printing"), ("notebook", "devices")):
        answer = after.predict(view([0.05, 0.05, 0.9], place))
        assert (answer.label, answer.promised) == (wanted, 0.0)
        assert sum(share for _, share in answer.ranking) == pytest.approx(1.0)
    assert after.promises["vpn"], "what is not split still has its promise"


def test_a_bundle_without_held_out_answers_promises_a_merged_label_nothing() -> None:
    before = ensemble(held())
    after = relabelled(
        before, names(network=("vpn", "wifi"), devices=("hardware",)), None, described
    )
    assert after.promises == {"network": (), "devices": before.promises["hardware"]}


def test_a_bundle_without_promises_has_none_afterwards() -> None:
    after = relabelled(ensemble(None), names(network=("vpn", "wifi")), None, described)
    assert after.predict(view([0.4, 0.4, 0.2])).promised is None
