import json
from pathlib import Path

import pytest

from bootos.lab import bmc_program
from bootos.lab.bmc_program import LAN_NAMES, SettingRefused, main, run_lan


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "lan.json"
    values = dict.fromkeys(LAN_NAMES, "0.0.0.0")
    path.write_text(json.dumps({**values, "ip_addr_src": "static", "dhcp_address": "10.0.9.99"}))
    return str(path)


def test_what_was_set_is_answered_afterwards(settings: str) -> None:
    run_lan(settings, "set", ["ip_addr", "10.0.8.21", "subnet_mask", "255.255.255.0"])
    assert (
        run_lan(settings, "get", ["subnet_mask", "ip_addr"])
        == "subnet_mask:255.255.255.0\nip_addr:10.0.8.21\n"
    )


def test_check_changes_nothing(settings: str) -> None:
    run_lan(settings, "check", ["ip_addr_src", "dhcp"])
    assert run_lan(settings, "get", ["ip_addr_src"]) == "ip_addr_src:static\n"


def test_dhcp_brings_the_lease(settings: str) -> None:
    run_lan(settings, "set", ["ip_addr_src", "dhcp"])
    assert run_lan(settings, "get", ["ip_addr"]) == "ip_addr:10.0.9.99\n"


@pytest.mark.parametrize(
    "words",
    [
        ["set", "ip_addr_src", "bios"],
        ["set", "ip_addr", "10.0.8.300"],
        ["set", "colour", "blue"],
        ["get", "colour"],
        ["set", "ip_addr"],
        ["break"],
    ],
)
def test_refuses_what_a_bmc_would_refuse(settings: str, words: list[str]) -> None:
    with pytest.raises(SettingRefused):
        run_lan(settings, words[0], words[1:])


def test_an_error_goes_to_stdout_with_exit_code_1(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lan", settings, "set", "ip_addr", "nonsense"]) == 1
    assert capsys.readouterr().out == "Invalid ip_addr: nonsense\n"


def test_a_lab_that_is_gone_is_an_error_and_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chassis", str(tmp_path / "none"), "set", "reset", "1"]) == 1
    assert capsys.readouterr().out != ""


def test_the_program_imports_the_standard_library_only() -> None:
    text = Path(bmc_program.__file__).read_text()
    assert "bootos." not in text and "msgspec" not in text
