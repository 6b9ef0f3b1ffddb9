from pathlib import Path

import pytest

from bootos.agent.host.cmdline import parse_cmdline, read_cmdline

DOCUMENTED = (
    "BOOT_IMAGE=http://osinstall.idcos.com/bootos/vmlinuz initrd=http://osinstall.idcos.com/bootos/initrd.img "
    "console=tty0 selinux=0 biosdevname=0 SERVER_ADDR=http://osinstall.idcos.com DEVELOPER=1 "
    "PRE=http://osinstall.idcos.com/pre.sh POST=http://osinstall.idcos.com/post.py BOOTIF=01-52-54-00-AA-bb-0c"
)


def test_reads_every_documented_word() -> None:
    cmdline = parse_cmdline(DOCUMENTED)
    assert cmdline.server_addr == "http://osinstall.idcos.com"
    assert cmdline.developer
    assert cmdline.pre == "http://osinstall.idcos.com/pre.sh"
    assert cmdline.post == "http://osinstall.idcos.com/post.py"
    assert cmdline.pxe_mac == "52:54:00:aa:bb:0c"
    assert cmdline.problems == ()


@pytest.mark.parametrize("value", ["", "DEVELOPER=0", "DEVELOPER=yes", "XDEVELOPER=1"])
def test_only_the_literal_one_turns_developer_mode_on(value: str) -> None:
    assert not parse_cmdline(f"SERVER_ADDR=http://a {value}").developer


@pytest.mark.parametrize(
    "value", ["", "SERVER_ADDR=", "SERVER_ADDR=10.0.0.1", "SERVER_ADDR=ftp://x", "SERVER_ADDR=http://:80"]
)
def test_a_missing_or_malformed_server_address_is_a_problem_with_a_hint(value: str) -> None:
    cmdline = parse_cmdline(f"quiet {value}")
    assert cmdline.server_addr is None
    assert [problem.path for problem in cmdline.problems] == ["SERVER_ADDR"]
    assert "kernel command line" in cmdline.problems[0].hint


@pytest.mark.parametrize(("value", "seconds"), [("5", 5), ("0", 60), ("-3", 60), ("soon", 60)])
def test_an_unusable_interval_falls_back_to_sixty_seconds(value: str, seconds: int) -> None:
    assert parse_cmdline(f"SERVER_ADDR=http://a LOOP_INTERVAL={value}").loop_interval_s == seconds


def test_words_written_at_the_shell_supply_a_missing_address(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text("console=tty0\n")
    assert read_cmdline(tmp_path).server_addr is None
    (tmp_path / "run/bootos").mkdir(parents=True)
    (tmp_path / "run/bootos/cmdline").write_text("SERVER_ADDR=https://boot.example:8083/\n")
    assert read_cmdline(tmp_path).server_addr == "https://boot.example:8083"


def test_scripts_of_v1_servers_have_a_time_limit_that_can_be_set() -> None:
    assert parse_cmdline("SERVER_ADDR=http://a").script_timeout_s == 14400
    assert parse_cmdline("SERVER_ADDR=http://a SCRIPT_TIMEOUT=60").script_timeout_s == 60
    wrong = parse_cmdline("SERVER_ADDR=http://a SCRIPT_TIMEOUT=0")
    assert wrong.script_timeout_s == 14400
    assert [problem.path for problem in wrong.problems] == ["SCRIPT_TIMEOUT"]


@pytest.mark.parametrize(
    ("words", "policy", "problems"),
    [("", "continue", 0), ("PRE_ON_ERROR=continue", "continue", 0), ("PRE_ON_ERROR=stop", "stop", 0),
     ("PRE_ON_ERROR=halt", "stop", 1), ("PRE_ON_ERROR=", "stop", 1)],
)  # fmt: skip
def test_a_policy_that_cannot_be_read_is_the_careful_one(words: str, policy: str, problems: int) -> None:
    cmdline = parse_cmdline(f"SERVER_ADDR=http://a {words}")
    assert cmdline.pre_on_error == policy
    assert len(cmdline.problems) == problems
    assert cmdline.post_on_error == "continue"


@pytest.mark.parametrize(
    "url", ["ftp://a/pre", "pre.sh", "http://u:word@a/pre#sha256=12", "https://u:word@#x"]
)
def test_a_hook_that_cannot_be_fetched_is_a_problem_and_stays_given(url: str) -> None:
    cmdline = parse_cmdline(f"SERVER_ADDR=http://a PRE={url}")
    assert [problem.path for problem in cmdline.problems] == ["PRE"]
    assert "word" not in str(cmdline.problems[0])
    assert cmdline.pre == url


def test_hooks_have_a_time_limit_that_can_be_set() -> None:
    assert parse_cmdline("SERVER_ADDR=http://a").hook_timeout_s == 3600
    assert parse_cmdline("SERVER_ADDR=http://a HOOK_TIMEOUT=5").hook_timeout_s == 5
