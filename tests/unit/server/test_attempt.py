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
