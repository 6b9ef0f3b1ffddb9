"""The server as a process: it is killed and comes back, ends quickly, and says why it cannot start."""

import re
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from certificate import Authority
from serverprocess import BOOTOS, Process, process
from serving import Agent
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.errors import BootosError, read_chain
from bootos.process import Completed, run
from bootos.server.app import open_context
from bootos.server.settings import Settings
from bootos.waiting import wait_for

__all__ = ["process"]

FILE = "01-52-54-00-00-00-02"


def test_a_server_that_is_killed_in_mid_job_comes_back_and_nothing_is_lost(process: Process) -> None:
    server = process.start()
    server.put_template()
    server.operate("PUT", "/pxe-templates/p", {"content": "sn={sn}"})
    server.operate("PUT", "/secrets/s", {"value": "kept"})
    server.create_job(pxe="p")
    agent = Agent(server)
    agent.register()
    order = agent.order()
    steps = [{"id": "raid", "title": "RAID", "state": "running"}]
    lines = [{"n": n, "at": "2026-01-01T00:00:00Z", "text": f"line {n}"} for n in range(4)]
    assert agent.report(order["job_id"], steps=steps, log=lines[:2]).data["log_next"] == 2
    assert agent.upload_mac(order["job_id"]).data["pxe_file"] == FILE

    process.kill()
    (process.data / "tftp/pxelinux.cfg" / FILE).unlink()
    agent.server = server = process.start()

    assert (process.data / "tftp/pxelinux.cfg" / FILE).read_text() == "sn=SN001"
    # the session is still good, and the attempt the same; the report of this boot is known by now
    assert agent.order() == {**order, "earlier_boot_id": "boot-1"}
    assert agent.report(order["job_id"], steps=steps, log=lines).data["log_next"] == 4
    agent.report(order["job_id"], state="succeeded", steps=steps)
    job = server.job(1)
    assert (job["state"], job["attempt"]) == ("installing", 1)
    texts = [line["text"] for line in server.operate("GET", "/jobs/1/log")]
    assert [text for text in texts if text.startswith("line ")] == [f"line {n}" for n in range(4)]

    process.kill()
    server = process.start()
    report = {"Sn": "SN001", "Title": "end", "InstallProgress": 1}
    server.call("POST", "/api/osinstall/v1/report/deviceInstallInfo", report)
    assert server.job(1)["state"] == "done"
    assert not (process.data / "tftp/pxelinux.cfg" / FILE).exists()


def test_a_server_that_is_told_to_end_answers_open_polls_at_once(process: Process) -> None:
    server = process.start()
    agent = Agent(server)
    agent.register()
    server.put_template()
    server.create_job(machine="OTHER")
    token = {"Authorization": f"Bearer {server.context.operator_token}"}
    got: dict[str, Any] = {}
    poll = threading.Thread(target=lambda: got.update(poll=agent.call("GET", "/order?wait_s=25").status))
    poll.start()
    events = server.open("/api/operator/jobs/1/events", token)
    first = events.read1()
    wait_for(lambda: server.operate("GET", "/machines/SN001")["state"] == "waiting", 20, what="the poll")
    assert process.child is not None
    process.child.signal(signal.SIGTERM)
    assert process.child.wait(20) == 0  # the poll itself would end after 25 s, and the stream of events never
    poll.join(10)
    assert got["poll"] == 204
    assert b"event: job" in first + events.read()


def serve_words(data: Path, *more: object) -> list[str]:
    listen = ["--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"]
    return ["serve", "--data", str(data), *listen, "--no-tftp", *map(str, more)]


def refuse_to_start(data: Path, *more: object) -> Completed:
    done = run([*BOOTOS, *serve_words(data, *more)], check=False, timeout_s=60)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return done


def refuse_here(data: Path, *more: object) -> str:
    """The same in this process: what the command would print."""
    error = CliRunner().invoke(build_app(["serve"]), serve_words(data, *more)).exception
    assert isinstance(error, BootosError)
    return "\n".join(read_chain(error))


def test_the_log_of_a_start_tells_every_address_and_that_machines_cannot_come(process: Process) -> None:
    server = process.start()
    said = process.log.read_text()
    assert f"operators reach this server at {server.operator_url}, from this host only" in said
    assert f"listening on {server.operator_url} for operators" in said
    assert "machines cannot reach this server: it listens on 127.0.0.1 only" in said
    assert "machines reach this server" not in said
    assert re.search(r"its authority is sha256:[0-9a-f]{64}", said)


def test_a_port_in_use_and_a_data_directory_in_use_are_named(process: Process, tmp_path: Path) -> None:
    process.start()
    said = refuse_to_start(tmp_path / "other", "--listen", process.listen).stderr
    assert f"cannot listen on {process.listen}" in said and "--listen" in said
    said = refuse_to_start(process.data).stderr
    assert "another server uses the data directory" in said
    assert len(said.splitlines()) == 1, "and nothing else is said"


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refuse_here(tmp_path / "file" / "data")


def test_a_database_that_is_newer_is_left_alone(tmp_path: Path) -> None:
    open_context(Settings(data=tmp_path)).store.close()
    with sqlite3.connect(tmp_path / "bootos.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    said = refuse_here(tmp_path)
    assert "newer than this program" in said and "use the newer bootos that wrote it" in said
    assert "before-9999" not in said, "a copy that is not there is not named"
    copy = tmp_path / "bootos.db.before-9999"
    copy.write_bytes(b"")
    said = refuse_here(tmp_path)
    assert "newer than this program" in said and f"put back the copy that it made first, {copy}" in said
    assert len(said.splitlines()) == 1, "and nothing else is said"


@pytest.mark.parametrize(
    "url", ["10.0.0.1", "10.0.0.1:8083", "tftp://10.0.0.1", "http://", "http://10.0.0.1:99999"]
)
def test_a_public_url_that_no_machine_could_use_is_wrong_usage(tmp_path: Path, url: str) -> None:
    ended = CliRunner().invoke(build_app(["serve"]), serve_words(tmp_path / "data", "--public-url", url))
    assert ended.exit_code == 2
    assert "--public-url" in ended.output
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "bootos.db").write_text("this is not a database, but long enough to be looked at" * 30)
    assert "not a database" in refuse_here(tmp_path)


def test_a_database_url_that_means_nothing_is_named(tmp_path: Path) -> None:
    assert "not usable" in refuse_here(tmp_path, "--database", "nonsense")
    assert "hunter2" not in refuse_here(tmp_path, "--database", "nodb://u:hunter2@h/x")


def test_a_broken_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("short")
    assert "does not hold a key" in refuse_here(tmp_path)


def test_a_certificate_that_is_not_the_keys_is_named(tmp_path: Path) -> None:
    cert, _ = Authority().write(tmp_path / "one")
    _, key = Authority().write(tmp_path / "other")
    said = refuse_here(tmp_path / "data", "--tls-cert", cert, "--tls-key", key)
    assert f"the key {key} is not the one of its first certificate" in said
    assert "--tls-cert is PEM" in said


def test_wrong_options_are_wrong_usage(tmp_path: Path) -> None:
    for words in (
        ["--listen", "nowhere"],
        ["--operator-listen", "a:99999"],
        ["--append", "a\nb"],
        ["--trusted-proxy", "proxy.example"],
        ["--tls-cert", "cert.pem"],
        ["--tls-key", "key.pem"],
        ["--tls-listen", "8084"],
    ):
        assert CliRunner().invoke(build_app(["serve"]), serve_words(tmp_path, *words)).exit_code == 2, words
