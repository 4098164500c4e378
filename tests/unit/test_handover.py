from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import paper
import pytest
from structlog.testing import capture_logs

from adapters.memory import FIELDS, MemoryAdapter
from connector.bundles import Bundles
from connector.desk import Desk, connect, refit
from connector.errors import ConfigError, Retry
from connector.handover import Handover
from connector.model import FieldKind, Staff, TenantId
from connector.promotion import promote
from connector.retry import BREAKER
from connector.roster import Doing, Roster
from connector.settings import TenantSettings
from connector.shelf import Shelf

ACME, BETA, PLAIN = TenantId("acme"), TenantId("beta"), TenantId("plain")
TEXT = "the tunnel is down"
OTHER = {**paper.ANSWERS, TEXT: ("printing", 0.9)}


def settings(name: str, bundle: str | None, mode: str = "shadow") -> TenantSettings:
    aspects = {"category": {"field": "category", "mode": mode}}
    return TenantSettings(tenant=name, desk=None, bundle=bundle, aspects=aspects)


class World:
    """Three tenants, two of which name the same bundle."""

    def __init__(self, folder: Path, clock: object) -> None:
        self.folder = folder
        self.shelf = Shelf(folder / "models", paper.describe)
        self.put("1")
        default = paper.write(folder / "plain", name="plain")
        self.bundles = Bundles(paper.kind, self.shelf, default=default, threads=1)
        self.tenants = {
            ACME: settings("acme", "ours"),
            BETA: settings("beta", "ours"),
            PLAIN: settings("plain", None),
        }
        self.roster = Roster(tuple(self.tenants), clock)  # type: ignore[arg-type]
        self.adapter = MemoryAdapter(clock)  # type: ignore[arg-type]
        self.handover = Handover(self.bundles, self.roster)
        self.serve()

    def serve(self) -> None:
        self.handover.open(self.tenants.values())
        self.handover.serve(self.tenants.values())

    def put(self, version: str, **changes: object) -> None:
        made = paper.write(self.folder / version, version, **changes)  # type: ignore[arg-type]
        promote(self.shelf, paper.kind, str(made), accept=True)

    def connect(self, *tenants: TenantId) -> None:
        for tenant in tenants:
            engine = self.handover.engine(self.tenants[tenant])
            self.roster.admit(connect(self.tenants[tenant], self.adapter, engine))

    def serving(self) -> dict[str, str]:
        return {desk.tenant: desk.bundle for desk in self.roster.desks()}

    def answers(self, tenant: TenantId) -> str | None:
        [desk] = [each for each in self.roster.desks() if each.tenant == tenant]
        [reading] = desk.classifier.predict([TEXT])
        return reading.predictions[0].label


@pytest.fixture
def world(tmp_path, clock) -> World:
    made = World(tmp_path, clock)
    assert list(made.handover.serving) == ["ours@1", "plain@1"]
    made.connect(ACME, BETA, PLAIN)
    return made


def looked(world: World) -> list[dict[str, object]]:
    with capture_logs() as logs:
        world.handover.look()
    return [dict(log) for log in logs]


def test_a_promoted_bundle_answers_for_all_that_name_it_and_for_no_other(world) -> None:
    world.put("2", answers=OTHER)
    told = looked(world)
    assert world.serving() == {"acme": "ours@2", "beta": "ours@2", "plain": "plain@1"}
    assert (world.answers(ACME), world.answers(PLAIN)) == ("printing", "network")
    assert [(log["event"], log["tenant"], log["bundle"], log["before"]) for log in told] == [
        ("bundle_serving", "acme", "ours@2", "ours@1"),
        ("bundle_serving", "beta", "ours@2", "ours@1"),
    ]
    assert looked(world) == []


def test_a_refused_bundle_is_logged_once_and_the_old_one_answers(world) -> None:
    world.put("2", answers=OTHER)
    paper.damage(world.shelf.folder("ours", "2"))
    [told] = looked(world)
    assert (told["event"], told["log_level"]) == ("bundle_refused", "error")
    assert (told["bundle"], told["serving"]) == ("ours@2", "ours@1")
    assert looked(world) == []
    assert world.answers(ACME) == "network"


def test_a_desk_that_is_paused_is_handed_over_too_and_not_called(world) -> None:
    for _ in range(BREAKER):
        world.roster.failed(ACME, Doing.TICKETS, Retry("down"))
    assert world.roster.desk(ACME) is None
    world.put("2", answers=OTHER)
    looked(world)
    assert world.serving()["acme"] == "ours@2"


def test_a_desk_that_was_connected_in_the_midst_of_a_change_is_handed_over_next(
    world,
) -> None:
    old = world.handover.engine(world.tenants[ACME])
    late = connect(world.tenants[ACME], world.adapter, old)
    world.put("2")
    looked(world)
    world.roster.admit(late)
    assert world.serving()["acme"] == "ours@1"
    looked(world)
    assert world.serving()["acme"] == "ours@2"


def test_whoever_works_with_a_desk_ends_with_the_bundle_that_he_began_with(world) -> None:
    with world.roster.turn(lambda _: ACME) as desk:
        world.put("2", answers=OTHER)
        looked(world)
        [reading] = desk.classifier.predict([TEXT])
        assert (desk.bundle, reading.predictions[0].label) == ("ours@1", "network")
    assert world.answers(ACME) == "printing"


def test_other_changes_of_a_desk_and_a_handover_do_not_undo_each_other(world) -> None:
    world.put("2", answers=OTHER)
    looked(world)
    staff = Staff()
    world.roster.amend(ACME, lambda now: replace(now, staff=staff))
    [desk] = [each for each in world.roster.desks() if each.tenant == ACME]
    assert (desk.staff, desk.bundle) == (staff, "ours@2")


def test_a_tenant_whose_desk_lacks_an_option_keeps_the_old_one(world) -> None:
    world.tenants[BETA] = settings("beta", "ours", mode="auto")
    world.serve()
    [category] = [field for field in FIELDS if field.id == "category"]
    narrow = replace(category, kind=FieldKind.CHOICE, options=("network", "printing"))
    world.roster.amend(BETA, lambda now: replace(now, fields=(narrow,)))
    world.put("2", answers={**paper.ANSWERS, "else": ("scanning", 0.9)})
    served, unfit = looked(world)
    assert (served["event"], served["tenant"]) == ("bundle_serving", "acme")
    assert (unfit["event"], unfit["tenant"]) == ("bundle_unfit", "beta")
    assert "lacks the options scanning" in str(unfit["error"])
    assert world.serving() == {"acme": "ours@2", "beta": "ours@1", "plain": "plain@1"}
    assert looked(world) == []
    world.put("3", answers=OTHER)
    looked(world)
    assert world.serving()["beta"] == "ours@3"


def test_nobody_waits_while_a_bundle_loads(world, monkeypatch) -> None:
    begun, may_end = Event(), Event()
    real: Callable[..., object] = world.bundles._loaded

    def slow(*which: str) -> object:
        begun.set()
        assert may_end.wait(20)
        return real(*which)

    monkeypatch.setattr(world.bundles, "_loaded", slow)
    world.put("2", answers=OTHER)
    loading = Thread(target=world.handover.look)
    loading.start()
    assert begun.wait(20)
    with world.roster.turn(lambda _: ACME) as desk:
        assert desk.classifier.predict([TEXT])
    assert world.handover.engine(world.tenants[ACME]).bundle == "ours@1"
    world.connect(ACME)
    may_end.set()
    loading.join()
    assert world.serving()["acme"] == "ours@2"


def test_a_refit_desk_is_the_same_but_for_its_bundle(world) -> None:
    [desk] = [each for each in world.roster.desks() if each.tenant == ACME]
    engine = paper.PaperEngine(str(paper.write(world.folder / "x", "9")))
    other = refit(desk, world.tenants[ACME], engine)
    same = [name for name in Desk.__slots__ if getattr(other, name) == getattr(desk, name)]
    assert set(Desk.__slots__) - set(same) == {"classifier", "bundle"}
    assert other.bundle == "ours@9"
    bare = replace(desk, fields=())
    with pytest.raises(ConfigError, match="no field 'category'"):
        refit(bare, world.tenants[ACME], engine)
