"""Nothing new is sent to an agent, or rendered for an image, that did not name the ability for it. `rescue` is a mode
of jobs that a release to come may have."""

import json
from pathlib import Path
from typing import Any

import pytest
from publishing import make_image, publish
from serving import Agent, Running
from sqlalchemy import select

from bootos.server.store.table import Boot, Job
from bootos.wire.ability import ABILITIES, FROM_THE_START, MOST_ABILITIES, OURS, is_able, parse_abilities


def make_future_job(server: Running) -> None:
    """As the server of a release to come would make it."""
    server.put_template()
    server.create_job()
    with server.context.store.write() as session:
        job = session.scalars(select(Job)).one()
        job.mode = "rescue"
        session.touch(f"machine:{job.machine_id}")


def read_kept(server: Running) -> list[list[str]]:
    with server.context.store.read() as session:
        return list(session.scalars(select(Boot.abilities).order_by(Boot.id)))


@pytest.mark.parametrize("abilities", [None, [], ["mode:plan", "something"], list(OURS)])
def test_an_order_that_the_agent_cannot_decode_is_not_sent(
    server: Running, abilities: list[str] | None
) -> None:
    more: dict[str, Any] = {} if abilities is None else {"abilities": abilities}
    agent = Agent(server, **more)
    agent.register()
    make_future_job(server)
    assert agent.order() is None
    job = server.job(1)
    assert job["state"] == "refused"
    assert "the agent of this boot (test) does not know jobs of the mode 'rescue'" in job["message"]
    assert "boot the machine with an image of this server's release" in job["message"]


def test_an_agent_that_names_the_ability_gets_the_order(server: Running) -> None:
    agent = Agent(server, abilities=["mode:rescue"])
    agent.register()
    make_future_job(server)
    assert agent.order()["mode"] == "rescue"
    assert agent.order()["attempt"] == 1


def test_an_older_image_in_mid_job_ends_the_job_with_words(server: Running) -> None:
    """The next boot got an image that was rolled back, or pinned."""
    agent = Agent(server, abilities=["mode:rescue"])
    agent.register()
    make_future_job(server)
    agent.report(
        agent.order()["job_id"], state="running", steps=[{"id": "a", "title": "A", "state": "rebooting"}]
    )
    older = Agent(server, boot_id="boot-2")
    assert older.register().status == 200
    assert older.order() is None
    assert server.job(1)["state"] == "failed"
    assert "'rescue'" in server.job(1)["message"]


def test_a_v1_agent_gets_no_job_of_a_mode_that_it_cannot_know(server: Running) -> None:
    call = "/api/osinstall/v1/device/getHardwareBySn"
    server.put_template("t", "name: t\nscripts: [{name: a, scripts: [{name: b, script: 'true'}]}]\n")
    server.create_job()
    with server.context.store.write() as session:
        session.scalars(select(Job)).one().mode = "rescue"
    said = json.loads(server.request("POST", call, {"Sn": "SN001"}).data)
    assert (said["Status"], said["Message"]) == (
        "error",
        "a v1 agent does not know jobs of the mode 'rescue'",
    )
    assert server.job(1)["state"] == "refused"


def test_what_every_agent_takes_needs_no_word(server: Running) -> None:
    for mode in ("plan", "apply"):
        agent = Agent(server, boot_id="boot-1")
        agent.register()
        server.put_template()
        number = server.create_job(mode=mode)["id"]
        assert agent.order()["mode"] == mode
        agent.report(number, state="planned" if mode == "plan" else "succeeded")


LISTED = "name: t\nraid: [{driver: raid.mvcli, clear: true}, {driver: raid.megaraid, clear: true}]\n"


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_a_list_of_raid_sections_is_not_sent_to_an_agent_that_does_not_know_it(
    server: Running, mode: str
) -> None:
    agent = Agent(server, abilities=["mode:plan", "mode:apply", "mode:capture"])
    agent.register()
    server.put_template("t", LISTED)
    server.create_job(mode=mode)
    assert agent.order() is None
    job = server.job(1)
    assert job["state"] == "refused"
    assert (
        "the agent of this boot (test) does not know templates whose raid is a list of sections"
        in job["message"]
    )
    assert "boot the machine with an image of this server's release" in job["message"]


def test_an_agent_of_this_release_gets_a_list_of_raid_sections(server: Running) -> None:
    agent = Agent(server, abilities=list(OURS), developer=True)
    agent.register()
    server.put_template("t", LISTED)
    server.create_job()
    assert [part["driver"] for part in agent.order()["template"]["raid"]] == ["raid.mvcli", "raid.megaraid"]


def test_a_driver_of_another_section_is_told_at_its_place_in_the_list(server: Running) -> None:
    text = LISTED.replace("raid.mvcli", "oob.ipmi").replace("raid.megaraid", "raid.mine")
    found = server.operate("POST", "/templates/check", {"text": text, "format": "yaml"})
    assert [problem["path"] for problem in found["problems"]] == ["raid[0].driver"]
    assert [note["path"] for note in found["notes"]] == ["raid[1].driver"]


def test_a_session_keeps_what_its_agent_named_last(server: Running) -> None:
    for said in (["mode:rescue", "unknown.thing"], []):
        Agent(server, abilities=said).register()
        assert read_kept(server) == [said]


@pytest.mark.parametrize(
    "said",
    [
        [f"a{number}" for number in range(100_000)],
        ["x" * 65, "x" * 1_000_000, "", "mode:\x1b[2J", "Größe", " a", "a\n"],
        ["mode:rescue"] * 1000,
    ],
)
def test_of_a_hostile_list_only_what_can_be_one_is_kept(server: Running, said: list[str]) -> None:
    assert Agent(server, abilities=said).register().status == 200
    kept = read_kept(server)[0]
    assert len(kept) <= MOST_ABILITIES
    assert set(kept) <= set(said)
    assert all(len(name) <= 64 and name.isascii() and name.isprintable() for name in kept)


@pytest.mark.parametrize("said", ["mode:rescue", {"mode": "rescue"}, [1], None])
def test_a_list_of_another_form_is_refused(server: Running, said: Any) -> None:
    assert Agent(server, abilities=said).register().status == 400


def test_the_server_says_what_it_can_be_sent(server: Running) -> None:
    greeting = server.call("GET", "/api/v2/agent/").data
    assert greeting["abilities"] == list(OURS)
    assert set(OURS) == set(ABILITIES) >= FROM_THE_START
    assert parse_abilities(OURS) == list(OURS)


def test_an_image_is_able_to_what_its_manifest_names(server: Running, tmp_path: Path) -> None:
    """The default, one of an earlier release that was rolled back to, and one that is not there."""
    versions = {}
    for name, abilities in (("old", None), ("new", ["cmdline:rescue", "unknown"])):
        versions[name] = make_image(tmp_path / name, name)
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        if abilities is not None:
            manifest["abilities"] = abilities
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
        publish(server, tmp_path / name, default=True)
    shelf = server.context.shelf
    assert is_able(shelf.read_abilities(versions["new"]), "cmdline:rescue")
    assert not is_able(shelf.read_abilities(versions["old"]), "cmdline:rescue")
    assert shelf.read_abilities("none") == shelf.read_abilities("local") == []
    shown = {image["version"]: image["abilities"] for image in server.operate("GET", "/images")}
    assert shown == {versions["old"]: [], versions["new"]: ["cmdline:rescue", "unknown"], "local": []}
