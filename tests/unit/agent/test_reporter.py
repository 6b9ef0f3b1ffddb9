from pathlib import Path

import msgspec
import pytest
from handclock import QuickClock
from peer import Peer, wait_for

from bootos.agent.session.client import Client, Refused, Unreachable
from bootos.agent.session.outbox import Outbox
from bootos.agent.session.reporter import Reporter
from bootos.drivers.erase.certificate import is_sealed, seal
from bootos.masking import Masker
from bootos.server.limit import Limits
from bootos.wire import v2
from bootos.wire.inventory import Inventory


def start_reporter(peer: Peer) -> Reporter:
    client = Client(peer.url)
    reporter = Reporter(client, "boot-1", lambda: claim(peer), clock=QuickClock())
    reporter.start()
    return reporter


def claim(peer: Peer) -> None:
    peer.registrations += 1


def end_job(reporter: Reporter, state: v2.JobState) -> None:
    reporter.update(msgspec.structs.replace(reporter.state, state=state))


def test_a_terminal_report_is_repeated_until_it_is_accepted(peer: Peer) -> None:
    peer.answers["/report"] = [(500, None), (503, None)]
    reporter = start_reporter(peer)
    reporter.begin_job("j1")
    end_job(reporter, v2.JobState.SUCCEEDED)
    assert reporter.wait_until_accepted(20)
    assert peer.reports[-1].state is v2.JobState.SUCCEEDED
    assert peer.reports[-1].job_id == "j1"


def test_report_numbers_only_grow_and_every_report_is_whole(peer: Peer) -> None:
    reporter = start_reporter(peer)
    reporter.begin_job("j1")
    reporter.update(msgspec.structs.replace(reporter.state, steps=[v2.StepView(id="plan", title="Plan")]))
    assert reporter.wait_until_accepted(20)
    end_job(reporter, v2.JobState.FAILED)
    assert reporter.wait_until_accepted(20)
    numbers = [report.number for report in peer.reports]
    assert numbers == sorted(set(numbers))
    assert [step.id for step in peer.reports[-1].steps] == ["plan"]


def test_log_lines_survive_a_server_that_fails(peer: Peer) -> None:
    peer.answers["/report"] = [(500, None)]
    reporter = start_reporter(peer)
    for n in range(1200):
        reporter.add_line(f"line {n}")
    assert reporter.wait_until_accepted(30)
    assert [peer.lines[n] for n in sorted(peer.lines)] == [f"line {n}" for n in range(1200)]


def test_a_lost_session_is_claimed_again_and_nothing_is_lost(peer: Peer) -> None:
    peer.answers["/report"] = [(401, v2.Refusal(error="unknown session"))]
    reporter = start_reporter(peer)
    reporter.begin_job("j1")
    end_job(reporter, v2.JobState.SUCCEEDED)
    assert reporter.wait_until_accepted(20)
    assert peer.registrations == 1
    assert peer.reports[-1].state is v2.JobState.SUCCEEDED


def test_a_secret_never_leaves_in_free_text_and_names_stay_readable(peer: Peer) -> None:
    reporter = start_reporter(peer)
    reporter.add_secrets(("state", 'pa"ss'))
    reporter.begin_job("j1")
    reporter.add_line('the password is pa"ss')
    reporter.update(msgspec.structs.replace(reporter.state, message='tool said: pa"ss'))
    assert reporter.wait_until_accepted(20)
    sent = msgspec.json.encode(peer.reports[-1]).decode() + "".join(peer.lines.values())
    assert 'pa"ss' not in sent and 'pa\\"ss' not in sent
    assert peer.reports[-1].state is v2.JobState.RUNNING


def test_a_secret_that_is_a_name_too_changes_nothing_in_a_saved_state_and_a_certificate(peer: Peer) -> None:
    reporter = start_reporter(peer)
    reporter.add_secrets(("ADMIN",))
    reporter.begin_job("j1")
    sealed = seal({"drive": "/dev/sda", "text": "erased by ADMIN"})
    saved = {"states": {"bios.sum": {"settings": [{"name": "ADMIN", "title": "ADMIN"}]}}}
    reporter.update(msgspec.structs.replace(reporter.state, certificates=[sealed], message="ADMIN is there"))
    reporter.attach_saved(saved)
    assert reporter.wait_until_accepted(20)
    assert peer.reports[-1].message == "******** is there"
    assert peer.reports[-1].saved == saved
    assert all(is_sealed(certificate) for certificate in peer.reports[-1].certificates)
    assert peer.reports[-1].certificates == [sealed]


def test_a_report_that_is_too_large_for_the_server_goes_without_what_may_be_left_out(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = Reporter(Client(peer.url), "boot-1", lambda: None, clock=QuickClock())  # not started yet
    reporter.begin_job("j1")
    reporter.attach_inventory(Inventory(collected_at="now"))
    reporter.attach_saved({"states": {}})
    end_job(reporter, v2.JobState.SUCCEEDED)
    peer.answers["/report"] = [(413, v2.Refusal(error="too large"))] * 2
    reporter.start()
    assert reporter.wait_until_accepted(20)
    last = peer.reports[-1]
    assert (last.state, last.saved, last.inventory) == (v2.JobState.SUCCEEDED, None, None)
    assert "no report as large as this one, too large: it goes without its saved state" in caplog.text
    assert "without its inventory" in caplog.text


def test_long_lines_are_cut_and_no_report_is_large_by_its_log(peer: Peer) -> None:
    reporter = start_reporter(peer)
    reporter.add_line("x" * 10_000_000)
    for _ in range(300):
        reporter.add_line("y" * 8000)
    assert reporter.wait_until_accepted(60)
    texts = [peer.lines[n] for n in sorted(peer.lines)]
    assert texts[0] == f"{'x' * 8000} [9992000 more characters]"
    assert len(texts[0]) <= Limits().log_line_letters, "the server cuts off no word of that"
    assert texts[1:] == ["y" * 8000] * 300
    assert max(len(msgspec.json.encode(report)) for report in peer.reports) < 600_000


def test_a_server_that_takes_small_reports_only_gets_every_line_and_what_else_there_is(peer: Peer) -> None:
    reporter = Reporter(Client(peer.url), "boot-1", lambda: None, clock=QuickClock())  # not started yet
    reporter.begin_job("j1")
    reporter.attach_saved({"states": {}})
    for n in range(100):
        reporter.add_line(f"{n} ".ljust(1000, "x"))
    end_job(reporter, v2.JobState.SUCCEEDED)
    peer.answers["/report"] = [(413, v2.Refusal(error="too large"))]
    reporter.start()
    assert reporter.wait_until_accepted(20)
    assert [peer.lines[n].partition(" ")[0] for n in sorted(peer.lines)] == [str(n) for n in range(100)]
    assert max(sum(len(line.text) for line in report.log) for report in peer.reports) <= 25_000
    assert peer.reports[-1].saved is not None


def test_masking_covers_lists_and_changes() -> None:
    value = {"destroys": ["old secret1"], "id": "secret1", "changes": [{"what": "x", "after": "secret1"}]}
    assert Masker(["secret1"]).plain(value, keys=v2.FREE_TEXT) == {
        "destroys": ["old ********"],
        "id": "secret1",
        "changes": [{"what": "x", "after": "********"}],
    }


def test_a_cancel_in_the_receipt_is_seen(peer: Peer) -> None:
    peer.cancel = True
    reporter = start_reporter(peer)
    reporter.begin_job("j1")
    assert wait_for(reporter.is_cancelled)


def test_the_client_tells_a_dead_server_from_one_that_refuses(peer: Peer) -> None:
    peer.answers["/register"] = [(409, v2.Refusal(error="held by another client", retry_after_s=7))]
    registration = v2.Registration(
        sn="A", boot_id="b", agent_version="0", inventory=Inventory(collected_at="now")
    )
    with pytest.raises(Refused) as refused:
        Client(peer.url).register(registration)
    assert refused.value.status == 409
    assert refused.value.retry_after_s == 7
    with pytest.raises(Unreachable):
        Client("http://127.0.0.1:9").greet()


def test_lines_of_an_agent_that_was_killed_are_sent_by_the_next(peer: Peer, tmp_path: Path) -> None:
    file = tmp_path / "outbox.jsonl"
    killed = Reporter(Client(peer.url), "boot-1", lambda: None, Outbox(file))  # never started
    killed.add_line("one\ntwo")
    with file.open("ab") as cut:
        cut.write(b'{"n":12,"at":"x","te')
    reporter = Reporter(Client(peer.url), "boot-1", lambda: None, Outbox(file))
    reporter.add_line("three")
    reporter.start()
    assert reporter.wait_until_accepted(10)
    assert [text for _, text in sorted(peer.lines.items())] == ["one", "two", "three"]
    wait_for(lambda: not file.read_bytes())
