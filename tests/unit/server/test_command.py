"""The operator's commands against a server: output, JSON, exit codes."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Agent, Running
from typer.testing import CliRunner, Result

from bootos.cli import build_app
from bootos.errors import BootosError

Bootos = Callable[..., Result]


@pytest.fixture
def bootos(server: Running) -> Bootos:
    """Runs a command line against the server; errors are left in `.exception`."""

    def call(*words: str, input: str | None = None) -> Result:
        environment = {
            "BOOTOS_SERVER": server.operator_url,
            "BOOTOS_DATA": str(server.data),
            "COLUMNS": "200",
        }
        return CliRunner(env=environment).invoke(build_app(words), list(words), input=input)

    return call


def test_the_server_may_be_named_by_host_and_port_alone(
    server: Running, bootos: Bootos, recwarn: pytest.WarningsRecorder
) -> None:
    assert "no job" in good(bootos("job", "list", "--server", server.operator_url.removeprefix("https://")))
    assert [str(warning.message) for warning in recwarn] == []


def good(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.output)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "t.yaml").write_text("name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n")
    (tmp_path / "bad.yaml").write_text("name: bad\nraid: 1\nmore: 2\n")
    (tmp_path / "p.pxe").write_text("LABEL x\nAPPEND sn={sn}\n")
    (tmp_path / "pw.txt").write_text("secret-value\n")
    return tmp_path


def test_a_job_from_the_first_command_to_the_last(server: Running, bootos: Bootos, files: Path) -> None:
    assert "no machine has registered yet" in good(bootos("machine", "list"))
    checked = good(bootos("template", "check", str(files / "t.yaml")))
    assert "is usable" in checked and "bootos secret set pw" in checked
    good(bootos("secret", "set", "pw", "--file", str(files / "pw.txt")))
    good(bootos("secret", "set", "typed", input="typed-value\n"))
    listed = good(bootos("secret", "list"))
    assert "pw" in listed and "secret-value" not in listed
    assert "version 1" in good(bootos("template", "add", str(files / "t.yaml")))
    good(bootos("pxe", "add", "p", str(files / "p.pxe")))
    assert good(bootos("pxe", "show", "p")) == "LABEL x\nAPPEND sn={sn}\n"
    assert good(bootos("template", "show", "t")) == (files / "t.yaml").read_text()
    agent = Agent(server)
    agent.register()
    created = good(bootos("job", "create", "--machine", "SN001", "--template", "t", "--pxe", "p", "--json"))
    assert json.loads(created)["id"] == 1
    order = agent.order()
    assert order["secrets"] == {"pw": "secret-value"}
    agent.report(order["job_id"], log=[{"n": 0, "at": "2026-01-01T00:00:00Z", "text": "[bold]not markup[/]"}])
    assert "[bold]not markup[/]" in good(bootos("job", "log", "1"))
    shown = good(bootos("machine", "show", "sn001"))
    assert "52:54:00:00:00:02" in shown
    agent.report(order["job_id"], state="failed", message="it broke")
    assert "it broke" in good(bootos("job", "show", "1"))
    followed = bootos("job", "follow", "1")
    assert followed.exit_code == 1
    assert "job 1 is failed: it broke" in followed.output


def test_follow_shows_the_log_live_and_ends_with_the_job(server: Running, bootos: Bootos) -> None:
    server.put_template()
    agent = Agent(server)
    agent.register()

    def work() -> None:
        order = agent.order(20)
        agent.report(order["job_id"], log=[{"n": 0, "at": "2026-01-01T10:00:00Z", "text": "at work"}])
        agent.report(order["job_id"], state="succeeded", message="all done")

    worker = threading.Thread(target=work)
    worker.start()
    shown = good(bootos("job", "create", "--machine", "SN001", "--template", "t", "--follow"))
    worker.join(20)
    assert "at work" in shown
    assert "job 1 is done: all done" in shown


def test_follow_with_json_prints_one_object_per_event(server: Running, bootos: Bootos) -> None:
    server.put_template()
    server.create_job()
    server.operate("POST", "/jobs/1/cancel")
    result = bootos("job", "follow", "1", "--json")
    assert result.exit_code == 1
    events = [json.loads(line)["event"] for line in result.output.splitlines()]
    assert events[-1] == "end"


def test_all_mistakes_of_a_template_are_printed(bootos: Bootos, files: Path) -> None:
    result = bootos("template", "check", str(files / "bad.yaml"))
    assert result.exit_code == 1
    assert "raid: must be a table" in result.output
    assert "more: unknown key" in result.output
    added = bootos("template", "add", str(files / "bad.yaml"))
    assert isinstance(added.exception, BootosError)
    assert "more: unknown key" in str(added.exception)


def test_machines_are_enrolled_set_and_deleted(bootos: Bootos) -> None:
    said = good(bootos("machine", "set", "NEW", "hostname=h1", "address=10.0.0.5/24"))
    assert "netmask=255.255.255.0" in said
    said = good(bootos("machine", "set", "new", "hostname=", "gateway=10.0.0.1"))
    assert "hostname" not in said and "address=10.0.0.5" in said
    assert bootos("machine", "set", "NEW", "nonsense").exit_code == 2
    assert "color=red" in good(bootos("machine", "set", "NEW", "color=red"))
    assert isinstance(bootos("machine", "set", "NEW", "hostnam=x").exception, BootosError)
    good(bootos("machine", "delete", "NEW"))
    assert "no machine" in good(bootos("machine", "list"))


def test_a_job_may_skip_the_hardware(server: Running, bootos: Bootos) -> None:
    server.put_template()
    good(bootos("job", "create", "--machine", "SN001", "--template", "t", "--skip-hardware"))
    assert server.job(1)["skip_hardware"] is True


def test_a_line_of_the_support_list_in_one_command(bootos: Bootos) -> None:
    words = (
        "--vendor",
        "Acme",
        "--product",
        "A*",
        "--alias",
        "ACME Ltd",
        "--bios",
        ">=2.10 <3",
        "--allow",
        "raid,disks",
    )
    said = good(bootos("support", "add", *words, "--allow", "oob"))
    assert said == "line 1: Acme (also ACME Ltd) / A*, BIOS >=2.10 <3; allows raid, oob, disks\n"
    assert ">=2.10 <3" in good(bootos("support", "list"))
    wrong = bootos("support", "add", "--vendor", "x", "--product", "y", "--bios", ">=", "--allow", "fans")
    assert isinstance(wrong.exception, BootosError)
    assert str(wrong.exception).startswith("the line has 2 problem(s):\n  - bios: ")
    assert "'fans' is nothing to configure" in str(wrong.exception)


def test_support_lines(bootos: Bootos) -> None:
    good(bootos("support", "add", "--vendor", "Dell*", "--product", "*"))
    assert "Dell*" in good(bootos("support", "list"))
    assert json.loads(good(bootos("support", "list", "--json")))[0]["id"] == 1
    good(bootos("support", "remove", "1"))


def test_what_is_wrong_is_said_with_a_way_on(server: Running, bootos: Bootos, tmp_path: Path) -> None:
    unknown = bootos("job", "show", "77").exception
    assert isinstance(unknown, BootosError) and "bootos job list" in unknown.hint
    away = bootos("machine", "list", "--server", "http://127.0.0.1:1").exception
    assert isinstance(away, BootosError) and "Connection refused" in str(away)
    no_token = bootos("machine", "list", "--data", str(tmp_path)).exception
    assert isinstance(no_token, BootosError) and "BOOTOS_TOKEN" in no_token.hint
    (tmp_path / "wrong").write_text("x" * 40)
    wrong = bootos("machine", "list", "--token-file", str(tmp_path / "wrong")).exception
    assert isinstance(wrong, BootosError) and "wrong" in str(wrong)


def test_wrong_usage_has_exit_code_2(bootos: Bootos) -> None:
    assert bootos("job", "create").exit_code == 2
    assert bootos("job", "show", "x").exit_code == 2


def test_show_tells_controllers_and_what_could_not_be_read(server: Running, bootos: Bootos) -> None:
    dead = "RAID controller 0 (9361-8i): drive 8:14 is not shown: Failure (error 46)."
    controller = {
        "name": "MegaRAID 0",
        "driver": "raid.megaraid",
        "model": "9361-8i",
        "arrays": [{"name": "data", "level": "5", "state": "Dgrd"}],
        "drives": [{"id": "8:0", "state": "Onln"}, {"id": "8:6", "state": "Onln"}, {"id": "8:14"}],
    }
    inventory = {"collected_at": "t", "raid": [controller], "notes": [dead]}
    Agent(server, inventory=inventory).register()
    shown = good(bootos("machine", "show", "SN001"))
    assert f"note: {dead}" in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("9361-8i"))
    assert "data RAID 5 Dgrd" in line and "2 Onln, 1 -" in line


def test_no_line_of_a_table_is_filled_up_with_blanks(bootos: Bootos) -> None:
    """As they are read from a pipe; a row with little in its last columns is as long as what stands in it."""
    for name in ("SN-7", "a name that is much longer than the other ones are"):
        good(bootos("machine", "set", name, "hostname=h1"))
    for words in (["machine", "list"], ["machine", "show", "SN-7"]):
        lines = good(bootos(*words)).split("\n")
        assert "SN-7" in "".join(lines)
        assert [line for line in lines if line != line.rstrip()] == []


def test_machines_are_imported_and_get_addresses_out_of_a_pool(
    server: Running, bootos: Bootos, tmp_path: Path
) -> None:
    assert "250" not in good(bootos("pool", "list"))
    made = good(bootos("pool", "add", "data", "10.0.0.10-10.0.0.250/24", "--gateway", "10.0.0.1"))
    assert made == "pool data: 241 addresses\n"
    file = tmp_path / "racks.csv"
    file.write_text("SN,hostname,address,rack\nA1,web-<{number:03}>,<{pool:data}>,r1\n\nA2,,<{pool:data}>,\n")
    assert good(bootos("machine", "import", str(file))) == "2 machine(s) were set, 2 of them new\n"
    shown = good(bootos("machine", "show", "A1"))
    assert "hostname=web-001" in shown and "address=10.0.0.10" in shown and "rack=r1" in shown
    assert "10.0.0.11  A2" in good(bootos("pool", "show", "data"))
    good(bootos("pool", "free", "data", "A1"))
    file.write_text("sn,hostname\nA1,no name\nA2\n")
    assert "line 3 has 1 columns" in str(bootos("machine", "import", str(file)).exception)
    file.write_text("hostname\nx\n")
    assert "one of them must be sn" in str(bootos("machine", "import", str(file)).exception)


def test_a_template_is_shown_with_everything_that_it_inherits(
    server: Running, bootos: Bootos, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("name: a\noob: {reset: true}\n")
    (tmp_path / "b.yaml").write_text("name: b\nbase: a\n")
    for name in ("a", "b"):
        good(bootos("template", "add", str(tmp_path / f"{name}.yaml")))
    assert good(bootos("template", "show", "b")) == "name: b\nbase: a\n"
    shown = good(bootos("template", "show", "b", "--resolved"))
    assert shown == "# from a, version 1\nname: b\noob: {reset: true}\n"


def test_a_plan_is_shown_with_its_cost_and_approved(server: Running, bootos: Bootos) -> None:
    server.put_template()
    agent = Agent(server)
    agent.register()
    good(bootos("job", "create", "--machine", "SN001", "--template", "t", "--plan-only"))
    agent.order()
    action = {"id": "x", "driver": "bios", "summary": "set vt", "reboot": True, "estimate_s": 30}
    action |= {"changes": [{"what": "vt", "before": "off", "after": "on"}], "destroys": ["the old world"]}
    steps = [{"id": "bios", "title": "BIOS", "actions": [action]}]
    agent.report(1, state="planned", steps=steps, plan_hash="sha256:1")
    shown = good(bootos("job", "show", "1"))
    assert "set vt [pending] (about 30 s, needs a reboot)" in shown
    assert "vt: off -> on" in shown and "destroys the old world" in shown
    assert "1 action, 1 thing destroyed, reboots inside the job, about 30 s" in shown
    assert good(bootos("job", "approve", "1")) == "job 2 carries out the plan of job 1 on machine SN001\n"
    assert "approved plan" in good(bootos("job", "show", "2"))


def test_a_file_that_cannot_be_read_is_told_in_words(bootos: Bootos, tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("sn,rack\nSN001,d\xfcsseldorf\n".encode("latin-1"))
    said = [str(bootos("machine", "import", str(file)).exception) for file in (latin, tmp_path / "none.csv")]
    assert said == [
        f"{latin} cannot be read: it is no UTF-8 text",
        f"{tmp_path}/none.csv cannot be read: No such file or directory",
    ]


def test_a_confirmation_that_nobody_answers_says_how_a_script_does_it(
    server: Running, bootos: Bootos
) -> None:
    assert Agent(server).register().status == 200
    refusal = bootos("machine", "confirm", "SN001", input="").exception
    assert isinstance(refusal, BootosError)
    assert (refusal.message, "--yes" in refusal.hint) == ("nothing was confirmed", True)
