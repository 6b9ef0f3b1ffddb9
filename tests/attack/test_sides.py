"""Machines and operators have addresses of their own: nothing of one is at the other, and no machine is sent a page."""

import pytest
from browsing import log_in
from publishing import run_bootos
from serving import Agent, Running
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.app import build_machine_app, build_operator_app
from bootos.server.command.client import AnswerError

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
OPERATOR_PATHS = (
    "/",
    "/login",
    "/machines/1",
    "/static/style.css",
    "/api/operator/machines",
    "/api/operator/none",
    "/schema/openapi.json",
)
MACHINE_PATHS = (
    "/api/v2/agent/",
    "/bootos/vmlinuz",
    "/grub/grub.cfg",
    "/api/osinstall/v1/device/getNetworkBySn?sn=SN001",
)


def list_paths(routes: list[str]) -> set[str]:
    """The first two words of each path."""
    return {"/".join(path.split("/")[:3]) for path in routes}


@pytest.mark.parametrize("path", OPERATOR_PATHS)
def test_a_path_of_operators_at_the_machines_address_names_theirs_and_is_no_page(
    server: Running, path: str
) -> None:
    token = {"Authorization": f"Bearer {server.context.operator_token}"}
    answer = server.request_at(server.url, "GET", path, headers={**log_in(server), **token, **BROWSER})
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/json")
    said = answer.json()
    assert server.operator_url in said["error"]
    assert "BOOTOS_SERVER" in said["hint"]


@pytest.mark.parametrize("path", MACHINE_PATHS)
def test_what_machines_sent_is_not_at_the_operators_address(server: Running, path: str) -> None:
    Agent(server).register()
    answer = server.request_at(server.operator_url, "GET", path, headers=log_in(server))
    assert answer.status == 404


def test_the_two_applications_share_no_path(server: Running) -> None:
    machines = list_paths([route.path for route in build_machine_app(server.context).routes])
    operators = list_paths([route.path for route in build_operator_app(server.context).routes])
    assert {"/api/v2", "/api/osinstall", "/bootos", "/grub"} == machines
    assert {"/api/operator", "/schema/openapi.json", "/login", "/jobs"} <= operators
    assert not machines & operators


@pytest.mark.parametrize(
    "path", [*MACHINE_PATHS, *OPERATOR_PATHS, "/none", "/bootos/../x", "/api/v2/agent/none"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_every_answer_to_machines_is_data_in_a_sandbox(server: Running, method: str, path: str) -> None:
    answer = server.request_at(server.url, method, path, headers=BROWSER)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "html" not in answer.headers.get("content-type", "")


def test_every_answer_to_operators_is_taken_for_what_it_says_to_be(server: Running) -> None:
    for path in OPERATOR_PATHS:
        answer = server.request_at(server.operator_url, "GET", path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path


def test_a_command_that_asks_the_machines_address_is_told_the_operators(server: Running) -> None:
    environment = {"BOOTOS_SERVER": server.url, "BOOTOS_DATA": str(server.data)}
    ended = CliRunner(env=environment).invoke(build_app(["machine"]), ["machine", "list"])
    assert isinstance(ended.exception, AnswerError)
    assert server.operator_url in str(ended.exception) and "BOOTOS_SERVER" in ended.exception.hint
    assert run_bootos(server, "machine", "list").exit_code == 0


def test_a_command_finds_the_server_by_its_data_directory(server: Running) -> None:
    environment = {"BOOTOS_SERVER": "", "BOOTOS_DATA": str(server.data)}
    ended = CliRunner(env=environment).invoke(build_app(["machine"]), ["machine", "list"])
    assert ended.exit_code == 0, ended.output
