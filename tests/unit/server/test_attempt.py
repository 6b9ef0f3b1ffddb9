"""What the server remembers of a job's earlier attempts, and tells the next one."""

from typing import Any

import pytest
from serving import Agent, Running


@pytest.fixture
def agent(server: Running) -> Agent:
    agent = Agent(server)
    agent.register()
    server.put_template()
    server.create_job()
    return agent


def steps(**states: str) -> list[dict[str, Any]]:
    actions = [{"id": id, "driver": "d", "summary": "s", "state": state} for id, state in states.items()]
    return [{"id": "driver", "title": "t", "state": "running", "actions": actions}]


def test_the_first_attempt_is_told_of_none_before_it(agent: Agent) -> None:
    assert agent.order()["earlier"] == {}


def test_the_next_attempt_is_told_what_was_begun_and_what_was_done(agent: Agent) -> None:
    order = agent.order()
    agent.report(order["job_id"], steps=steps(made="done", begun="running", never="pending"))
    agent.register()
    assert agent.order()["earlier"] == {"driver": "running", "made": "done", "begun": "running"}


def test_an_attempt_that_said_little_does_not_make_the_one_before_it_forgotten(agent: Agent) -> None:
    order = agent.order()
    agent.report(order["job_id"], steps=steps(made="done", begun="running"))
    agent.register()
    agent.order()
    agent.report(order["job_id"])
    agent.report(order["job_id"], steps=steps(made="pending", begun="done"))
    agent.register()
    assert agent.order()["earlier"] == {"driver": "running", "made": "done", "begun": "done"}


def test_an_agent_whose_job_is_not_its_own_is_told_to_stop(server: Running, agent: Agent) -> None:
    order = agent.order()
    assert agent.report(order["job_id"]).data["cancel"] is False
    assert agent.report(4711).data["cancel"] is True
    assert agent.report().data["cancel"] is False


def test_a_reboot_inside_a_job_is_shown_and_the_next_boot_may_come_at_once(
    server: Running, agent: Agent
) -> None:
    action = {
        "id": "bios.x:set:a",
        "driver": "bios.x",
        "summary": "set a",
        "state": "rebooting",
        "reboot": True,
    }
    step = {"id": "bios.x", "title": "BIOS", "state": "rebooting", "actions": [action]}
    agent.report(agent.order()["job_id"], steps=[step])
    assert server.operate("GET", "/machines/SN001")["state"] == "rebooting"
    again = Agent(server, boot_id="boot-2")
    assert again.register().status == 200
    order = again.order()
    assert (order["attempt"], order["earlier_boot_id"]) == (2, agent.boot_id)
    assert order["earlier"] == {"bios.x": "rebooting", "bios.x:set:a": "rebooting"}
