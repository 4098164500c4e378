from datetime import timedelta
from pathlib import Path

import pytest

from connector import config, registry
from connector.errors import ConfigError
from connector.model import Aspect, Mode, Secret
from connector.store import place_of

DAEMON = "state: /tmp/state\n"

TENANT = """\
tenant: acme
desk:
  platform: zendesk
  url: https://acme.zendesk.com
  account: triage@acme.example
  token: secret:acme.zendesk-token
intake:
  poll: 30s
  webhook: {secret: secret:acme.hook}
aspects:
  category:
    field: "360001"
    mode: auto
    precision: 0.9
    labels:
      network: VPN, Wi-Fi, no connection
      hardware: [laptop screen printer, Drucker Bildschirm]
  priority: {field: priority, mode: suggest}
"""


def load(folder: Path, tenant: str = TENANT, daemon: str = DAEMON) -> config.Configuration:
    (folder / "tenants").mkdir(exist_ok=True)
    (folder / "triaged.yaml").write_text(daemon, encoding="utf-8")
    (folder / "tenants" / "acme.yaml").write_text(tenant, encoding="utf-8")
    return config.load(folder / "triaged.yaml", registry.platforms())


def problems(folder: Path, tenant: str = TENANT, daemon: str = DAEMON) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, tenant, daemon)
    assert caught.value.exit_code == 78
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


RULES = """\
rules:
  never_auto:
    vip: {when: {requester: "*@board.acme.example"}}
  priority:
    order: [low, normal, high, urgent]
    shifts:
      anger: {by: 1, when: {sentiment: negative}}
    floors:
      outage: {label: high, when: {keyword: [outage, down]}}
"""


def test_guard_rails_are_read(tmp_path: Path) -> None:
    [tenant] = load(tmp_path, TENANT + RULES).tenants
    assert tenant.rules.never_auto["vip"].when.requester == ("*@board.acme.example",)
    assert tenant.rules.priority.floors["outage"].label == "high"
    assert tenant.rules.retriage == "until_touched"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            "vip: {when: {requester",
            "vip: {when: {requestor",
            "21:18: rules.never_auto.vip.when.requestor: unknown key, did you mean 'requester'?",
        ),
        (
            "label: high",
            "label: hihg",
            "27:23: rules.priority.floors.outage.label: 'hihg' is no priority of `order`",
        ),
        (
            "{keyword: [outage, down]}",
            "{sure: 0.9}",
            "27:29: rules.priority.floors.outage.when: name at least one of requester",
        ),
        ("by: 1", "by: 9", "25:19: rules.priority.shifts.anger.by: input should be less than"),
        ("  never_auto:", "  never_autos:", "20:3: rules.never_autos: unknown key, did you mean"),
        (
            "rules:",
            "rules:\n  category: {parents: {a: b, b: a}}",
            "20:27: rules.category.parents.a: lies in itself",
        ),
    ],
)
def test_a_guard_rail_that_cannot_be_meant_is_told_with_its_place(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    assert RULES.count(right) == 1
    found = problems(tmp_path, TENANT + RULES.replace(right, wrong))
    assert found[0].startswith(f"tenants/acme.yaml:{told}")


def test_rules_for_an_aspect_that_is_off_are_refused(tmp_path: Path) -> None:
    off = TENANT.replace("mode: suggest", 'mode: "off"')
    [problem] = problems(tmp_path, off + RULES)
    assert problem.startswith("tenants/acme.yaml:22:3: rules.priority: the aspect is off")


def test_a_tenant_file_becomes_settings(tmp_path: Path) -> None:
    [tenant] = load(tmp_path).tenants
    assert tenant.intake.poll == timedelta(seconds=30)
    assert tenant.desk.token == "acme.zendesk-token"
    assert tenant.desk.webhook_secret == "acme.hook"
    active = dict(tenant.aspects.active())
    assert set(active) == {Aspect.CATEGORY, Aspect.PRIORITY}
    assert active[Aspect.PRIORITY].mode is Mode.SUGGEST
    assert active[Aspect.CATEGORY].described == {
        "network": ("VPN, Wi-Fi, no connection",),
        "hardware": ("laptop screen printer", "Drucker Bildschirm"),
    }


def test_a_relative_state_directory_is_beside_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, daemon="state: here\n").daemon.state == tmp_path / "here"


WRONG = {
    "unknown key": (
        TENANT.replace("precision", "precison"),
        (
            "tenants/acme.yaml:14:5: aspects.category.precison: unknown key,"
            " did you mean 'precision'?"
        ),
    ),
    "unknown key at the top": (
        TENANT + "aspect: {}\n",
        "tenants/acme.yaml:19:1: aspect: unknown key, did you mean 'aspects'?",
    ),
    "unknown desk key": (
        TENANT.replace("  account:", "  acount:"),
        "tenants/acme.yaml:5:3: desk.acount: unknown key, did you mean 'account'?",
    ),
    "missing key": (
        TENANT.replace("  url: https://acme.zendesk.com\n", ""),
        "tenants/acme.yaml:2:1: desk.url: is required",
    ),
    "wrong choice": (
        TENANT.replace("mode: suggest", "mode: sugest"),
        (
            "tenants/acme.yaml:18:37: aspects.priority.mode: input should be 'off', 'shadow',"
            " 'suggest' or 'auto' (found 'sugest')"
        ),
    ),
    "out of range": (
        TENANT.replace("0.9", "1.5"),
        (
            "tenants/acme.yaml:14:16: aspects.category.precision: input should be less than or"
            " equal to 1 (found 1.5)"
        ),
    ),
    "duration without unit": (
        TENANT.replace("30s", "30"),
        "tenants/acme.yaml:8:9: intake.poll: write a number and a unit, such as 30s, 5m or 1h",
    ),
    "no time at all between two looks": (
        TENANT.replace("30s", "0s"),
        "tenants/acme.yaml:8:9: intake.poll: write 100ms or more, and at most 1d",
    ),
    "secret in clear": (
        TENANT.replace("secret:acme.zendesk-token", "ab12cd34"),
        (
            "tenants/acme.yaml:6:10: desk.token: write `secret:NAME` (letters, digits, . _ -) and"
            " keep the value in the keyring"
        ),
    ),
    "unknown platform": (
        TENANT.replace("platform: zendesk", "platform: zendeks"),
        (
            "tenants/acme.yaml:3:13: desk.platform: 'zendeks' is not an installed platform,"
            " did you mean 'zendesk'?"
        ),
    ),
    "duplicate key": (
        TENANT + "tenant: other\n",
        "tenants/acme.yaml:19:1: is not valid YAML: found duplicate key",
    ),
    "broken syntax": (
        TENANT.replace("{field: priority, mode: suggest}", "{field: priority"),
        "tenants/acme.yaml:19:1: is not valid YAML",
    ),
    "tab": (
        TENANT.replace("  url:", "\turl:"),
        "tenants/acme.yaml:4:1: is not valid YAML",
    ),
    "a list at the top": ("- tenant\n", "tenants/acme.yaml:1:1: must hold `key: value` lines"),
    "an empty file": ("", "tenants/acme.yaml:1:1: must hold `key: value` lines"),
    "a bad tenant name": (
        TENANT.replace("tenant: acme", "tenant: ACME Corp"),
        "tenants/acme.yaml:1:9: tenant: string should match pattern",
    ),
    "two aspects in one field": (
        TENANT.replace("{field: priority, mode: suggest}", '{field: "360001", mode: auto}'),
        (
            "tenants/acme.yaml:18:21: aspects.priority.field: '360001' is already written by"
            " category"
        ),
    ),
    "labels for a priority": (
        TENANT.replace("mode: suggest}", "mode: suggest, labels: {a: b, c: d}}"),
        "tenants/acme.yaml:18:46: aspects.priority.labels: only a category has labels",
    ),
    "one label": (
        TENANT.replace("      hardware: [laptop screen printer, Drucker Bildschirm]\n", ""),
        "tenants/acme.yaml:15:5: aspects.category.labels: one label leaves no choice",
    ),
    "names beside words": (
        TENANT.replace("network: VPN, Wi-Fi, no connection", "network: {stands_for: vpn}"),
        "tenants/acme.yaml:15:5: aspects.category.labels: give each label `stands_for`, or none",
    ),
    "a split without words": (
        TENANT.replace("network: VPN, Wi-Fi, no connection", "a: {stands_for: vpn}").replace(
            "hardware: [laptop screen printer, Drucker Bildschirm]",
            "b: {stands_for: [vpn], words: tunnel}",
        ),
        "tenants/acme.yaml:15:5: aspects.category.labels: 'vpn' is split between a, b; describe a",
    ),
    "a wrong key of a label": (
        TENANT.replace("network: VPN, Wi-Fi, no connection", "network: {stand_for: vpn}"),
        (
            "tenants/acme.yaml:16:17: aspects.category.labels.network.stand_for: unknown key, did"
            " you mean 'stands_for'?; known: stands_for, words"
        ),
    ),
    "everything off": (
        TENANT.replace("mode: auto", "mode: off").replace("mode: suggest", "mode: off"),
        "tenants/acme.yaml:10:1: aspects: every aspect is off",
    ),
    "desk is no mapping": (
        TENANT.replace("desk:\n", "desk: zendesk\nrest:\n"),
        "tenants/acme.yaml:2:7: desk: must be `key: value` lines",
    ),
    "http outside loopback": (
        TENANT.replace("https://", "http://"),
        "tenants/acme.yaml:4:8: desk.url: write https",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_yaml_is_refused_with_its_place_and_a_remedy(tmp_path: Path, name: str) -> None:
    tenant, expected = WRONG[name]
    found = problems(tmp_path, tenant)
    assert any(problem.startswith(expected) for problem in found), found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("secret:acme.zendesk-token", "hunter2hunter2"),
        ("{secret: secret:acme.hook}", "hunter2hunter2"),
        ("https://acme.zendesk.com", "https://ana:hunter2@acme.zendesk.com"),
        ("triage@acme.example", "triage@acme.example/token:hunter2"),
    ],
)
def test_a_secret_in_clear_is_not_repeated_in_the_message(
    tmp_path: Path, right: str, wrong: str
) -> None:
    found = problems(tmp_path, TENANT.replace(right, wrong))
    assert found
    assert not any("hunter2" in problem for problem in found)


def test_a_secret_in_clear_that_stands_twice_is_not_repeated_either(tmp_path: Path) -> None:
    line = "  token: secret:acme.zendesk-token\n"
    tenant = TENANT.replace(line, "  token: hunter2hunter2\n  token: hunter2hunter3\n")
    [problem] = problems(tmp_path, tenant)
    assert problem == 'tenants/acme.yaml:7:3: is not valid YAML: found duplicate key "token"'


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    tenant = TENANT.replace("30s", "soon").replace("mode: auto", "mode: always")
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "beta.yaml").write_text("tenant: beta\n", encoding="utf-8")
    found = problems(tmp_path, tenant)
    assert [problem.split(": ")[1] for problem in found] == [
        "intake.poll",
        "aspects.category.mode",
        "desk",
        "aspects",
    ]


def test_two_files_may_not_claim_one_tenant(tmp_path: Path) -> None:
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "zzz.yaml").write_text(TENANT, encoding="utf-8")
    [problem] = problems(tmp_path)
    assert problem.startswith("tenants/zzz.yaml:1:1: tenant: 'acme' is already the name of")


def test_no_tenant_file_is_a_problem_of_the_daemons_file(tmp_path: Path) -> None:
    found = problems(tmp_path, daemon="tenants: nowhere/*.yaml\n")
    assert found[0].startswith("triaged.yaml:1:10: tenants: no file matches 'nowhere/*.yaml'")


@pytest.mark.parametrize(
    "url", ["mysql", "mysql://db/triaged", "postgresql://db/triaged", "postgresql+psycopg://db", ""]
)
def test_a_store_that_is_not_known_is_refused(tmp_path: Path, url) -> None:
    [problem] = problems(tmp_path, daemon=f"store: '{url}'\n")
    assert problem.startswith("triaged.yaml:1:8: store: write sqlite, or postgresql+psycopg://")


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://a:hidden@db/triaged", "postgresql+psycopg://db/triaged?password=hidden"],
)
def test_a_password_in_the_address_of_the_store_is_refused_and_not_shown(tmp_path, url) -> None:
    [problem] = problems(tmp_path, daemon=f"store: {url}\n")
    assert "name a secret in store_password" in problem
    assert "hidden" not in problem


def test_a_store_has_an_address_and_the_name_of_a_password(tmp_path: Path) -> None:
    told = "store: postgresql+psycopg://triaged@db:5433/desk\nstore_password: secret:db\n"
    daemon = load(tmp_path, daemon=told).daemon
    place = place_of(daemon, lambda name: Secret(f"of {name}"))
    assert (place.url, place.directory) == (daemon.store, daemon.state)
    assert place.password is not None
    assert place.password.reveal() == "of db"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml:1:1: cannot be read"):
        config.load(tmp_path / "nothing.yaml", registry.platforms())


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "triaged.yaml").write_bytes(b"state: x\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"triaged\.yaml:2:1: is not UTF-8"):
        config.load(tmp_path / "triaged.yaml", registry.platforms())


def test_yaml_no_stays_a_word(tmp_path: Path) -> None:
    tenant = TENANT.replace("      network:", "      no:")
    [settings] = load(tmp_path, tenant).tenants
    assert set(dict(settings.aspects.active())[Aspect.CATEGORY].labels) == {"no", "hardware"}


def promoted(folder: Path, *names: str) -> None:
    for name in names:
        place = folder / "models" / name
        place.mkdir(parents=True)
        (place / "promoted.json").write_text("[]")


def test_the_shelf_is_in_the_state_directory_or_where_it_is_told_to_be(tmp_path: Path) -> None:
    daemon = load(tmp_path).daemon
    assert daemon.shelf == daemon.state / "models"
    told = load(tmp_path, daemon=f"{DAEMON}models: {{directory: shelf}}\n")
    assert told.daemon.shelf == tmp_path / "shelf"


def test_a_tenant_names_a_bundle_that_was_promoted(tmp_path: Path) -> None:
    promoted(tmp_path, "ours", "theirs")
    [tenant] = load(tmp_path, f"{TENANT}bundle: ours\n", "state: .\n").tenants
    assert tenant.bundle == "ours"
    assert load(tmp_path, daemon="state: .\n").tenants[0].bundle is None


def test_a_bundle_that_was_never_promoted_is_told_with_place_and_remedy(tmp_path: Path) -> None:
    promoted(tmp_path, "ours", "theirs")
    [problem] = problems(tmp_path, f"bundle: our\n{TENANT}", "state: .\n")
    assert problem == (
        f"tenants/acme.yaml:1:9: bundle: no bundle 'our' was promoted to {tmp_path}/models,"
        " did you mean 'ours'?; promoted: ours, theirs; `triaged models promote FOLDER` makes one"
        " serve"
    )


def test_a_first_bundle_can_be_promoted_though_a_tenant_names_it_already(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f"{TENANT}bundle: ours\n", "state: .\n")
    assert "none was promoted yet" in problem
    path = tmp_path / "triaged.yaml"
    assert config.load(path, registry.platforms(), any_bundle=True).tenants[0].bundle == "ours"
    assert config.load_daemon(path).shelf == tmp_path / "models"


@pytest.mark.parametrize("name", ["Ours", "../ours", "ours@1", "''"])
def test_a_bundles_name_that_no_bundle_can_have_is_refused(tmp_path: Path, name: str) -> None:
    [problem] = problems(tmp_path, f"bundle: {name}\n{TENANT}")
    assert problem.startswith("tenants/acme.yaml:1:9: bundle: ")
