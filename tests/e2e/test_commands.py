"""The commands as an administrator meets them: what they print, and the code they end with."""

import json
import re
import signal
import subprocess
import sys

import pytest
from world import FIELDS, Desk, Site, direct, triaged

COMMANDS = (
    "check",
    "classify",
    "demo",
    "evaluate",
    "history",
    "queue",
    "run",
    "sandbox",
    "status",
    "store",
    "train",
    "undo",
)
OFFLINE = ("✓ configuration", "✓ model: default@", "✓ acme: secrets: present")


def test_help_names_every_command_and_each_explains_itself(inside) -> None:
    whole = triaged("--help")
    assert whole.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", whole.stdout, re.MULTILINE)
        own = inside(command, "--help")
        assert (own.returncode, own.stderr) == (0, "")
        assert own.stdout.startswith(f"Usage: triaged {command}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run", "--frobnicate"], "No such option"),
        (["sandbox", "elsewhere"], "there is one for: rest, rt, servicenow, zendesk"),
        (["sandbox", "zendesk", "--listen", "here"], "write HOST:PORT"),
        (["sandbox", "zendesk", "--listen", "127.0.0.1:99999"], "write HOST:PORT"),
        (["classify", "--label", "one=only", "text"], "one label leaves no choice"),
        (["classify", "--label", "nameless", "text"], "write NAME=DESCRIPTION"),
    ],
)
def test_wrong_use_exits_2_and_says_what_is_right(inside, arguments, message) -> None:
    ended = inside(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr


def test_the_process_ends_with_the_code_of_the_command() -> None:
    assert triaged("frobnicate").returncode == 2


def test_check_says_what_is_in_order(tenanted) -> None:
    ended = tenanted.triaged("check")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(line in ended.stdout for line in OFFLINE)
    assert "desk" not in ended.stdout.replace(str(tenanted.folder), "")


def test_check_online_says_who_we_are_and_what_is_mapped(tenanted, inside) -> None:
    ended = inside("check", "--online", site=tenanted)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(line in ended.stdout for line in OFFLINE)
    assert "✓ acme: desk: Triage (900); category → Category, priority → Priority" in ended.stdout


def test_check_online_tells_programs_and_writes_nothing_anywhere(tenanted, desk, inside) -> None:
    ticket = desk.arrive("VPN down")
    ended = inside("check", "--online", "--json", site=tenanted)
    assert ended.returncode == 0
    found = {each["subject"]: each for each in json.loads(ended.stdout)}
    assert found["acme: desk"]["level"] == "ok"
    assert not any(each["problem"] for each in found.values())
    assert desk.writes([ticket]) == [0]
    assert not tenanted.state.exists()


def test_classify_reads_arguments() -> None:
    ended = triaged("classify", "The VPN does not connect", "Der Drucker hat Papierstau")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The VPN does not connect" in ended.stdout
    assert "network" in ended.stdout


def test_classify_reads_a_text_from_standard_input() -> None:
    ended = triaged("classify", "--json", given="The VPN does not connect since this morning.")
    [answer] = map(json.loads, ended.stdout.splitlines())
    assert answer["category"]["label"] == "network"
    assert set(answer) == {"id", "language", "category", "priority", "sentiment"}


def test_classify_reads_json_lines_in_order_with_their_ids(inside) -> None:
    lines = [
        {"id": "a", "subject": "VPN", "body": "The VPN does not connect"},
        {"text": "Le VPN ne se connecte plus depuis ce matin"},
        {"id": 7, "description": "<p>Die Verbindung zum VPN bricht heute ständig ab</p>"},
    ]
    given = "\n\n".join(json.dumps(line) for line in lines)
    ended = inside("classify", "--jsonl", "--json", given=given)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", "3", "7"]
    assert [answer["category"]["label"] for answer in answers] == ["network"] * 3
    assert [answer["language"] for answer in answers[1:]] == ["fr", "de"]


def test_classify_takes_labels_of_ones_own(inside) -> None:
    labels = ("--label", "coffee=the coffee machine is broken", "--label", "lift=the lift is stuck")
    ended = inside("classify", "--json", *labels, "The coffee machine gives no coffee.")
    answer = json.loads(ended.stdout)
    assert answer["category"]["label"] == "coffee"
    assert set(answer["category"]["ranking"]) == {"coffee", "lift"}


@pytest.mark.parametrize("line", ["no JSON", "[1]", '{"other": 1}', "[" * 100_000])
def test_classify_names_the_line_that_is_no_ticket(inside, line) -> None:
    ended = inside("classify", "--jsonl", "--json", given=f'{{"text": "VPN"}}\n{line}\n')
    assert ended.returncode == 1
    assert ended.stderr.startswith("triaged: line 2 ")
    assert "Give JSON objects with `text`" in ended.stderr


def test_a_broken_pipe_ends_a_command_without_a_word() -> None:
    command = [sys.executable, "-m", "connector", "classify", "--jsonl", "--json"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, encoding="utf-8", **pipes) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write('{"text": "VPN down"}\n' * 64)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        process.stdin.write('{"text": "VPN down"}\n' * 640)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


def test_status_tells_where_the_work_stands(tenanted, desk, inside) -> None:
    daemon = tenanted.daemon().ready("acme")
    daemon.event("ticket_triaged", ticket=desk.arrive("VPN down", "The VPN does not connect."))
    live = tenanted.triaged("status", "--json")
    assert daemon.end() == 0
    [told] = json.loads(live.stdout)
    assert told["tenant"] == "acme"
    assert told["outcomes"] == {"written": 1}
    for_people = inside("status", site=tenanted)
    assert (for_people.returncode, for_people.stderr) == (0, "")
    assert re.search(r"│ acme +│ +0 │ +\d │ +1 │ +0 │ +0 │", for_people.stdout)


def test_status_before_the_first_run_says_so(tenanted, inside) -> None:
    ended = inside("status", site=tenanted)
    assert ended.returncode == 1
    assert "no daemon has run there yet" in ended.stderr


@pytest.mark.parametrize("content", [b"", b"no database at all " * 400])
def test_status_of_a_damaged_database_says_so(tenanted, inside, content) -> None:
    tenanted.state.mkdir()
    (tenanted.state / "triaged.db").write_bytes(content)
    ended = inside("status", site=tenanted)
    assert ended.returncode == 1
    assert re.match(r"triaged: \S+triaged\.db: .*Check that the directory exists", ended.stderr)


def test_the_sandbox_command_serves_a_desk_until_it_is_told_to_end() -> None:
    command = [sys.executable, "-m", "connector", "sandbox", "zendesk", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, encoding="utf-8", stdout=subprocess.PIPE) as process:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        with direct() as session:
            told = session.get(f"{found[0]}/sandbox/tenant").json()
        assert told["desk"]["url"] == found[0]
        taken = triaged("sandbox", "zendesk", "--listen", found[0].removeprefix("http://"))
        process.send_signal(signal.SIGINT)
    assert taken.returncode == 78
    assert "choose another port" in taken.stderr


def test_the_demo_verifies_every_ticket_and_its_figures_agree() -> None:
    ended = triaged("demo", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["wrong"] == {}
    assert told["tickets_verified"] == told["tickets"] >= 40
    assert told["fields_written"] > told["tickets"]
    sources = told["milliseconds"]
    assert set(sources) == {"webhook", "poll"}
    assert sum(times["tickets"] for times in sources.values()) == told["tickets"]
    assert all(0 < times["p50"] <= times["p99"] for times in sources.values())
    assert told["tickets_per_second"] == pytest.approx(told["tickets"] / told["seconds"], rel=0.01)
    for aspect, found in told["agreement"].items():
        assert 0 <= found["agrees"] <= found["answered"] <= told["tickets"], aspect


@pytest.fixture
def second(site: Site, desk: Desk) -> Site:
    """Give a folder whose daemon is running already."""
    site.tenant("acme", desk)
    site.daemon().ready("acme")
    return site


def test_a_second_daemon_on_the_same_state_exits_1_and_names_the_first(second) -> None:
    [first] = second._daemons
    ended = second.triaged("run")
    assert ended.returncode == 1
    assert f"{second.state} is in use by process {first.pid}." in ended.stderr
    assert "Stop it first" in ended.stderr
    assert first.get("/healthz").status_code == 200


def test_a_port_in_use_exits_78_with_the_remedy(second) -> None:
    listen = second._daemons[0].address.removeprefix("http://")
    second.configure(state="elsewhere", web={"listen": listen})
    ended = second.triaged("run")
    assert ended.returncode == 78
    assert f"web.listen: {listen} cannot be used (Address already in use)" in ended.stderr
    assert "stop what listens there" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_directory_that_cannot_be_used_exits_1(tenanted) -> None:
    tenanted.configure(state="triaged.yaml/state")
    ended = tenanted.triaged("run")
    assert ended.returncode == 1
    assert re.match(r"triaged: \S+/triaged\.yaml/state: Not a directory\. ", ended.stderr)
    assert "Check that the directory exists" in ended.stderr


def test_the_category_field_is_where_the_other_tests_think(desk) -> None:
    aspects = desk.get("tenant")["aspects"]
    assert {aspect: chosen["field"] for aspect, chosen in aspects.items()} == FIELDS
