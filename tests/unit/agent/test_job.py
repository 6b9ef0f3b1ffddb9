"""One job against a peer on a socket: what the server is told, whatever happens to the calls."""

import http.server
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import urllib3
from peer import Peer

from bootos.agent.host.cmdline import Cmdline
from bootos.agent.host.host import Host
from bootos.agent.job.ending import Next
from bootos.agent.job.job import carry_out
from bootos.agent.network.place import may_be_at
from bootos.agent.search import wait_for_server
from bootos.agent.sequence import register, run_pre_hook
from bootos.agent.session.capturing import Capturer
from bootos.agent.session.client import Client
from bootos.agent.session.order import wait_for_order
from bootos.agent.session.reporter import Reporter
from bootos.drivers.contract import Machine
from bootos.wire import v2


@pytest.fixture
def host(tmp_path: Path, peer: Peer, caplog: pytest.LogCaptureFixture) -> Host:
    caplog.set_level(logging.INFO, "bootos")
    host = Host(Machine(root=tmp_path), "boot-1")
    host.directory.mkdir(parents=True)
    host.cmdline = Cmdline(server_addr=peer.url, pxe_mac="52:54:00:00:00:01")
    return host


def start(host: Host) -> tuple[Client, Reporter]:
    client = wait_for_server(host)
    assert client is not None
    return client, register(host, client, "10.0.2.15", [])


def order(**changes: object) -> v2.Order:
    return v2.Order(job_id="7", template_name="t", **{"template": {"name": "t"}, **changes})  # type: ignore[arg-type]


def test_a_job_ends_with_the_mac_uploaded_and_its_terminal_report_accepted(host: Host, peer: Peer) -> None:
    peer.orders.append(order())
    client, reporter = start(host)
    taken = wait_for_order(client, reporter, Capturer(host.machine, reporter.masker))
    assert carry_out(taken, host, client, reporter) is Next.REBOOT
    assert peer.macs == ["52:54:00:00:00:01"]
    assert peer.reports[-1].state is v2.JobState.SUCCEEDED
    states = {step.id: step.state for step in peer.reports[-1].steps}
    assert states == {"plan": v2.StepState.DONE, "mac": v2.StepState.DONE, "post": v2.StepState.SKIPPED}


def test_the_mac_upload_outlives_a_server_that_fails(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    peer.answers["/mac"] = [(500, None)]
    assert carry_out(order(), host, client, reporter) is Next.REBOOT
    assert len(peer.macs) == 1


def test_the_mac_is_uploaded_again_to_a_server_that_has_no_room_now(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    peer.answers["/mac"] = [(429, v2.Refusal(error="too many", retry_after_s=5))]
    assert carry_out(order(), host, client, reporter) is Next.REBOOT
    assert len(peer.macs) == 1


def test_a_mac_that_is_refused_for_good_fails_the_job(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    peer.answers["/mac"] = [(409, v2.Refusal(error="another machine has it"))]
    assert carry_out(order(), host, client, reporter) is Next.ORDER
    assert peer.reports[-1].state is v2.JobState.FAILED
    assert "another machine has it" in peer.reports[-1].message


def test_a_template_with_mistakes_is_refused_with_every_path(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    wrong = {"name": "t", "colour": "red", "raid": {"arrays": [{"name": "a", "level": 5, "drives": "0,1"}]}}
    assert carry_out(order(template=wrong), host, client, reporter) is Next.ORDER
    last = peer.reports[-1]
    assert last.state is v2.JobState.REFUSED
    assert {"colour", "raid.arrays[0].drives"} <= {problem.path for problem in last.problems}
    assert peer.macs == []


def test_a_plan_changes_nothing_and_does_not_reboot(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    assert carry_out(order(mode="plan"), host, client, reporter) is Next.ORDER
    assert peer.reports[-1].state is v2.JobState.PLANNED
    assert peer.macs == []


def test_a_failing_script_fails_the_job_with_its_name_and_no_mac_is_uploaded(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    groups = [{"name": "RAID", "scripts": [{"name": "first", "script": "echo hello; exit 4"}]}]
    assert carry_out(order(template={"name": "t", "scripts": groups}), host, client, reporter) is Next.ORDER
    last = peer.reports[-1]
    assert last.state is v2.JobState.FAILED
    assert "first failed: exit status 4" in last.message
    assert "hello" in peer.lines.values()
    assert peer.macs == []


def test_a_step_that_fails_for_what_nobody_foresaw_is_failed_with_the_reason(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    host.machine = None  # type: ignore[assignment]
    assert carry_out(order(), host, client, reporter) is Next.ORDER
    last = peer.reports[-1]
    assert last.state is v2.JobState.FAILED
    (plan,) = last.steps
    assert plan.state is v2.StepState.FAILED
    assert plan.ended_at
    assert "AttributeError" in plan.message


def test_skipped_hardware_configuration_still_uploads_the_mac(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    assert carry_out(order(skip_hardware=True, reboot=True), host, client, reporter) is Next.REBOOT
    assert [step.state for step in peer.reports[-1].steps if step.id == "plan"] == [v2.StepState.SKIPPED]
    assert peer.reports[-1].message == "hardware configuration was skipped; it reboots now"
    assert peer.macs


def scripted(earlier: dict[str, v2.StepState], **more: object) -> v2.Order:
    scripts = [
        {"name": "one", "script": "echo first ran"},
        {"name": "two", "script": "echo second ran", **more},
    ]
    template = {"name": "t", "scripts": [{"name": "group", "scripts": scripts}]}
    return order(template=template, attempt=2, earlier=earlier)


def test_a_script_that_an_earlier_attempt_did_is_not_run_again(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    assert carry_out(scripted({"script.0.0": v2.StepState.DONE}), host, client, reporter) is Next.REBOOT
    assert "second ran" in peer.lines.values()
    assert "first ran" not in peer.lines.values()
    step = next(step for step in peer.reports[-1].steps if step.id == "script.0.0")
    assert (step.state, step.message) == (v2.StepState.DONE, "an earlier attempt did it")


def test_a_script_that_was_cut_off_fails_the_job_unless_it_may_run_twice(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    earlier = {"script.0.0": v2.StepState.DONE, "script.0.1": v2.StepState.RUNNING}
    assert carry_out(scripted(earlier), host, client, reporter) is Next.ORDER
    assert "the script two was running when an earlier attempt was cut off" in peer.reports[-1].message
    assert not [text for text in peer.lines.values() if text.endswith(" ran")]
    assert carry_out(scripted(earlier, repeatable=True), host, client, reporter) is Next.REBOOT
    assert "second ran" in peer.lines.values()


def test_the_server_knows_that_a_script_begins_before_it_does(host: Host, peer: Peer) -> None:
    client, reporter = start(host)
    carry_out(scripted({}), host, client, reporter)
    seen = [
        (report, text)
        for report in peer.reports
        for text in [line.text for line in report.log if line.text == "first ran"]
    ]
    before = peer.reports[: peer.reports.index(seen[0][0])]
    states = [step.state for report in before for step in report.steps if step.id == "script.0.0"]
    assert v2.StepState.RUNNING in states


@pytest.fixture
def hooks() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A web server of scripts: its URL, and the scripts by path."""
    scripts: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK

        def do_GET(self) -> None:
            self.send_response(200 if self.path in scripts else 404)
            self.end_headers()
            self.wfile.write(scripts.get(self.path, b""))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", scripts
        server.shutdown()
        thread.join()


def boot(host: Host, **words: str) -> tuple[Client, Reporter]:
    """Start as the agent does, with these words on the kernel command line."""
    host.cmdline = msgspec.structs.replace(host.cmdline, **words)
    logging.getLogger("bootos").addHandler(host.early_log)
    results = run_pre_hook(host)
    client = wait_for_server(host)
    assert client is not None
    return client, register(host, client, "10.0.2.15", results)


def test_a_failed_pre_hook_is_said_and_the_job_goes_on_by_default(
    host: Host, peer: Peer, hooks: tuple[str, dict[str, bytes]]
) -> None:
    client, reporter = boot(host, pre=f"{hooks[0]}/gone.sh")
    assert carry_out(order(), host, client, reporter) is Next.REBOOT
    said = f"PRE hook failed: {hooks[0]}/gone.sh answered HTTP status 404"
    assert any(line.startswith(said) for line in peer.lines.values()), "logged before the registration"
    assert [hook.message.partition(" (")[0] for hook in peer.reports[-1].hooks] == [
        f"{hooks[0]}/gone.sh answered HTTP status 404"
    ]


def test_with_stop_a_failed_pre_hook_refuses_the_job_until_it_is_mended(
    host: Host, peer: Peer, hooks: tuple[str, dict[str, bytes]]
) -> None:
    url, scripts = hooks
    client, reporter = boot(host, pre=f"{url}/pre.sh", pre_on_error="stop")
    assert carry_out(order(), host, client, reporter) is Next.ORDER
    last = peer.reports[-1]
    assert last.state is v2.JobState.REFUSED
    assert f"the PRE hook {url}/pre.sh failed" in last.message
    assert [problem.path for problem in last.problems] == ["PRE"]
    assert peer.macs == []
    scripts["/pre.sh"] = b'echo "job $JOB_ID on $MACHINE_ID"\n'
    assert carry_out(order(), host, client, reporter) is Next.REBOOT
    assert "PRE | job 7 on m1" in peer.lines.values()
    assert [(hook.name, hook.exit_code) for hook in peer.reports[-1].hooks] == [("PRE", 0)]


@pytest.mark.parametrize(("policy", "reboots"), [("continue", True), ("stop", False)])
def test_the_policy_decides_what_a_failed_post_hook_means(
    host: Host, peer: Peer, hooks: tuple[str, dict[str, bytes]], policy: str, reboots: bool
) -> None:
    url, scripts = hooks
    scripts["/post.sh"] = b"exit 6\n"
    client, reporter = boot(host, post=f"{url}/post.sh", post_on_error=policy)
    after = carry_out(order(), host, client, reporter)
    assert after is (Next.REBOOT if reboots else Next.ORDER)
    last = peer.reports[-1]
    assert last.state is (v2.JobState.SUCCEEDED if reboots else v2.JobState.FAILED)
    assert reboots or "the POST hook" in last.message
    assert [(hook.name, hook.exit_code) for hook in last.hooks] == [("POST", 6)]


def test_a_script_gets_a_secret_by_its_name_and_no_report_has_it(host: Host, peer: Peer) -> None:
    text = "x=<{secret:oob}>; [ ${#x} = 9 ] && echo the value is $x"
    group = {"name": "OOB", "scripts": [{"name": "user", "script": text}]}
    template = {"name": "t", "scripts": [group]}
    client, reporter = start(host)
    assert (
        carry_out(order(template=template, secrets={"oob": "it's $1 x"}), host, client, reporter)
        is Next.REBOOT
    )
    reported = msgspec.json.encode(peer.reports).decode()
    assert "the value is ********" in reported
    assert "it's" not in reported


def test_a_script_that_asks_for_a_secret_without_a_value_is_refused_before_anything_runs(
    host: Host, peer: Peer
) -> None:
    group = {"name": "OOB", "scripts": [{"name": "user", "script": "oob.sh -p <{secret:oob}>"}]}
    client, reporter = start(host)
    assert carry_out(order(template={"name": "t", "scripts": [group]}), host, client, reporter) is Next.ORDER
    assert peer.reports[-1].state is v2.JobState.REFUSED
    assert [problem.path for problem in peer.reports[-1].problems] == ["scripts[0].scripts[0].script"]


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("http://10.0.0.1:8083/bootos/files/pre.sh#sha256=00", True),
        ("http://10.0.0.1/pre.sh", False),
        ("HTTP://user:pass@10.0.0.1:8083/pre.sh", True),
        ("https://10.0.0.1/pre.sh", True),  # its TLS end may be there
        ("https://10.9.9.9:8083/pre.sh", False),
        ("http://10.0.0.1:none/pre.sh", False),
        ("", False),
    ],
)
def test_a_hook_of_the_server_itself_is_not_fetched_before_the_server_answers(
    hook: str, expected: bool
) -> None:
    assert may_be_at(hook, "http://10.0.0.1:8083") is expected


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("http://10.0.0.1/repo", "https://10.0.0.1:8084/repo"),
        ("http://10.0.0.1:80/repo?x=1", "https://10.0.0.1:8084/repo?x=1"),
        ("http://user:pass@10.0.0.1/repo", "https://user:pass@10.0.0.1:8084/repo"),
        ("https://10.0.0.1:8084/repo", "https://10.0.0.1:8084/repo"),
        ("https://10.0.0.1/repo", None),
        ("http://10.0.0.1:8083/repo", None),
        ("http://10.0.0.1:$port/repo", None),
        ("file:///repo", None),
    ],
)
def test_what_is_at_the_server_is_at_its_tls_end_however_its_address_is_written(
    host: Host, url: str, end: str | None
) -> None:
    host.cmdline = msgspec.structs.replace(host.cmdline, server_addr="http://10.0.0.1")
    assert host.find_end(url) is None, "no end is known"
    host.follow(urllib3.PoolManager(), "https://10.0.0.1:8084")
    assert host.find_end(url) == end


def test_a_plan_has_a_hash_and_an_approved_one_that_is_still_the_same_is_carried_out(
    host: Host, peer: Peer
) -> None:
    client, reporter = start(host)
    carry_out(order(mode="plan"), host, client, reporter)
    hashed = peer.reports[-1].plan_hash
    assert hashed.startswith("sha256:")
    approved = order(approved=v2.Approval(plan_hash=hashed))
    assert carry_out(approved, host, client, reporter) is Next.REBOOT


def test_a_plan_that_is_not_the_approved_one_refuses_the_job_with_the_differences(
    host: Host, peer: Peer
) -> None:
    client, reporter = start(host)
    gone = v2.ActionView(id="raid.mdadm:create:os", driver="raid.mdadm", summary="create array os")
    approved = order(approved=v2.Approval(plan_hash="sha256:0", actions=[gone]))
    assert carry_out(approved, host, client, reporter) is Next.ORDER
    last = peer.reports[-1]
    assert last.state is v2.JobState.REFUSED
    assert "approved, but not to be done any more: create array os" in last.problems[0].message
    assert peer.macs == []


def test_what_a_template_expects_is_checked_before_anything_was_done_and_not_later(
    host: Host, peer: Peer
) -> None:
    client, reporter = start(host)
    template = {"name": "t", "expect": {"firmware": {"bios": "1.0"}}}
    assert carry_out(order(template=template), host, client, reporter) is Next.ORDER
    assert peer.reports[-1].state is v2.JobState.REFUSED
    assert "BIOS: expected 1.0, found unknown" in peer.reports[-1].problems[0].message
    earlier = {"firmware.package:bios:2.0": v2.StepState.DONE}
    assert carry_out(order(template=template, earlier=earlier), host, client, reporter) is Next.REBOOT
