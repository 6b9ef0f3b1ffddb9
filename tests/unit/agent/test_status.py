"""What the agent tells the consoles: the record, whole and masked; and its log lines, bounded and clean."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootos.agent.console.logfile import LogFile
from bootos.agent.console.status import Status, read_view, wake_console
from bootos.agent.main import print_status
from bootos.errors import BootosError


def test_what_is_set_is_read_by_another_process(tmp_path: Path) -> None:
    status = Status(tmp_path / "run/bootos")
    status.set(pid=17, server="http://10.0.2.2:8083", network=["eth0 52:54:00:aa:00:01 10.0.2.15/24"])
    status.wait_for("an order")
    view = read_view(tmp_path / "run/bootos")
    assert view is not None
    assert vars(view) == vars(status.view)
    assert (view.pid, view.doing, view.waits) == (17, "an order", True)
    assert [path.name for path in (tmp_path / "run/bootos").iterdir()] == ["status.json"]


def test_what_it_does_keeps_the_time_it_began(tmp_path: Path) -> None:
    status = Status(tmp_path)
    status.do("collecting hardware information")
    status.view.since = "01:02:03"
    status.do("collecting hardware information")
    assert status.view.since == "01:02:03"
    status.wait_for("the server")
    assert status.view.since != "01:02:03"


def test_an_unchanged_status_is_not_written_again(tmp_path: Path) -> None:
    status = Status(tmp_path)
    status.set(server="http://a")
    (tmp_path / "status.json").unlink()
    status.set(server="http://a")
    assert read_view(tmp_path) is None


def test_secrets_are_masked(tmp_path: Path) -> None:
    status = Status(tmp_path)
    status.add_secrets(("geheim", "geheim-42", ""))
    status.set(step="set password geheim-42 of user geheim")
    assert "geheim" not in (tmp_path / "status.json").read_text()
    assert status.view.step == "set password ******** of user ********"


def test_a_field_that_no_page_has_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="sever"):
        Status(tmp_path).set(sever="http://a")


def test_a_status_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a directory")
    status = Status(tmp_path / "run")
    status.set(server="http://a")
    assert status.view.server == "http://a"


def test_a_status_of_another_version_or_none_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert read_view(tmp_path) is None
    (tmp_path / "status.json").write_text("[")
    assert read_view(tmp_path) is None
    (tmp_path / "status.json").write_text(json.dumps({"server": "http://a", "job": 7, "colour": "red"}))
    view = read_view(tmp_path)
    assert view is not None
    assert (view.server, view.job, hasattr(view, "colour")) == ("http://a", "", False)


def test_nobody_at_the_consoles_holds_up_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "console.wake")
    wake_console(tmp_path)
    reader = os.open(tmp_path / "console.wake", os.O_RDONLY | os.O_NONBLOCK)
    wake_console(tmp_path)
    assert os.read(reader, 10) == b"!"
    writer = os.open(tmp_path / "console.wake", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)  # until the pipe holds no more
    wake_console(tmp_path)
    assert os.read(reader, 10) == b"." * 10
    os.close(writer)
    os.close(reader)


def make_logger(directory: Path, status: Status, most_bytes: int = 4096) -> logging.Logger:
    logger = logging.Logger("bootos.test")
    logger.addHandler(LogFile(directory, status.redact, most_bytes))
    return logger


def read_texts(file: Path) -> list[str]:
    return [line.partition("] ")[2] for line in file.read_text().splitlines()]


def test_log_lines_are_stamped_masked_and_without_what_moves_a_cursor(tmp_path: Path) -> None:
    status = Status(tmp_path)
    status.add_secrets(("geheim",))
    logger = make_logger(tmp_path, status)
    logger.debug("not for the console")
    logger.info("eth0 has address %s", "10.0.2.15/24")
    logger.warning("10%\r20%\x1b[2J\x1b[1;31mred\x1b[0m\x9b2J\x07 geheim")
    logger.info("进入bootos")
    assert read_texts(tmp_path / "agent.log") == [
        "bootos: eth0 has address 10.0.2.15/24",
        "bootos: WARNING: 10%",
        "bootos: WARNING: 20%red2J ********",
        "bootos: 进入bootos",
    ]


def test_the_log_is_bounded(tmp_path: Path) -> None:
    logger = make_logger(tmp_path, Status(tmp_path), most_bytes=1000)
    for number in range(200):
        logger.info("line %d", number)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["agent.log.old"] <= 1100
    assert sizes.get("agent.log", 0) <= 1100
    (tmp_path / "agent.log").unlink(missing_ok=True)
    logger.info("still there")
    assert read_texts(tmp_path / "agent.log") == ["bootos: still there"]


def test_reading_the_status_costs_little_memory() -> None:
    """The console process holds it as long as the machine is on."""
    code = "import sys, bootos.agent.console.status; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"msgspec", "logging", "typing", "subprocess", "urllib3", "asyncio"}


def test_the_shell_shows_what_the_consoles_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Status(tmp_path).set(
        server="https://10.0.0.1:8084", words="bacteria point cry return", network=["eth0 up"]
    )
    print_status(tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "server       https://10.0.0.1:8084\n" in shown
    assert "words        bacteria point cry return\n" in shown
    assert "network      eth0 up\n" in shown
    assert "job" not in shown
    print_status(tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)["words"] == "bacteria point cry return"
    with pytest.raises(BootosError, match="has not started"):
        print_status(tmp_path / "none", as_json=False)
