"""The tenant files of the how-to reach a desk that is as they say."""

from typing import Any

import pytest
from pages import ROOT, blocks
from people import SUBJECT, TEXT, HandClock, present, read, told, walk
from rest_people import RestPeople
from ruamel.yaml import YAML

from adapters import rest as platform
from adapters.rest.sandbox import MODERN, PLAIN, RestSandbox
from connector.model import Aspect, FieldUpdate
from connector.ports import Surroundings

HOW_TO = ROOT / "docs" / "how-to" / "connect-any-desk-by-rest.md"
FILES = [YAML(typ="safe").load(each.text) for each in blocks(HOW_TO) if each.kind == "yaml"]


def file_for(dialect: str) -> dict[str, Any]:
    (found,) = [
        each for each in FILES if each["desk"]["url"].endswith(f"desk.acme.example/{dialect}")
    ]
    return dict(found)


@pytest.mark.parametrize("dialect", [MODERN, PLAIN])
def test_a_whole_file_reads_and_writes_a_desk_that_is_as_it_says(
    clock: HandClock, dialect: str
) -> None:
    example = file_for(dialect)
    with RestSandbox(now=clock.now, dialect=dialect) as sandbox:
        people = RestPeople(sandbox, clock)
        options = {**example["desk"], "url": f"{sandbox.url}/{dialect}"}
        names = {
            "acme.desk-key": sandbox.key,
            example["intake"]["webhook"]["secret"].removeprefix("secret:"): sandbox.webhook_secret,
        }
        desk = platform.RestDesk.model_validate(
            {**options, "webhook_secret": example["intake"]["webhook"]["secret"]}
        )
        world = Surroundings(secret=names.__getitem__, clock=clock)
        with platform.connect(desk, world) as adapter:
            people.adapter = adapter  # type: ignore[assignment] # by the protocol
            start = present(people)
            ticket = people.arrive(SUBJECT, TEXT)
            people.reply(ticket, "still")
            assert adapter.check().warnings == ()
            assert ticket in told(walk(adapter.changed_since(start)), ticket)
            found = read(people, ticket)
            assert (found.description, found.last_message) == (TEXT, "still")
            fields = {aspect["field"] for aspect in example["aspects"].values()}
            assert fields <= set(found.fields)
            values = {"category": "network", "priority": "high"}
            updates = [
                FieldUpdate(aspect=Aspect.CATEGORY, field=name, value=value)
                for name, value in values.items()
            ]
            after = adapter.write(found, updates)
            assert {name: after.fields[name] for name in values} == values
            body = people.hook_body(ticket)
            headers = people.sign(body, sandbox.webhook_secret)
            assert adapter.parse_webhook(body, headers).tickets == (ticket,)
        people.close()


def test_the_how_to_has_a_file_for_each_dialect_and_one_of_a_real_desk() -> None:
    urls = [each["desk"]["url"] for each in FILES if "aspects" in each]
    assert len(urls) == 3
    assert {url.rpartition("/")[2] for url in urls} == {MODERN, PLAIN, "v2"}
