"""How a machine is rebooted, seen from the tools that are run: executables on PATH that note their arguments."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bootos.agent.host.power import Timing, reboot
from bootos.process import Completed, run
from bootos.wire.inventory import Bios, Bmc, Inventory, RedfishInterface

QUICK = Timing(command_s=5, reset_s=0, reboot_s=0)
PLAIN = ["systemctl reboot --force", "systemctl reboot --force --force"]


class Tools:
    """`ipmitool` and `sync` behave as the given lines of shell say, with their words in `$*`."""

    def __init__(self, directory: Path, ipmitool: str = "exit 0", sync: str = "exit 0") -> None:
        self._log = directory / "calls"
        self.limits_s: dict[str, float | None] = {}  # how long each may take
        self._programs = directory / "bin"
        self._programs.mkdir()
        for name in ("ipmitool", "systemctl", "sync", "mdadm"):
            file = self._programs / name
            lines = {"ipmitool": ipmitool, "sync": sync}.get(name, "")
            file.write_text(f'#!/bin/sh\necho "{name} $*" >> {self._log}\n{lines}\n')
            file.chmod(0o755)

    def run(self, argv: Sequence[str | os.PathLike[str]], **options: Any) -> Completed:
        self.limits_s[str(argv[0])] = options.get("timeout_s")
        return run(argv, **{**options, "env": {"PATH": f"{self._programs}:{os.environ['PATH']}"}})

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines()


def machine(*, bmc: bool = True, uefi: bool = False) -> Inventory:
    bios = Bios(boot_mode="uefi" if uefi else "bios")
    return Inventory(collected_at="", bios=bios, bmc=Bmc() if bmc else None)


@pytest.mark.parametrize(("uefi", "options"), [(False, ""), (True, " options=efiboot")])
def test_the_bmc_is_told_to_boot_from_the_network_in_the_way_the_machine_booted(
    tmp_path: Path, uefi: bool, options: str
) -> None:
    tools = Tools(tmp_path)
    reboot(tools.run, machine(uefi=uefi), tmp_path, QUICK)
    assert tools.calls[:3] == [
        "sync ",
        f"ipmitool chassis bootdev pxe{options}",
        "ipmitool chassis power reset",
    ]


def test_without_a_bmc_it_is_a_plain_reboot(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    reboot(tools.run, machine(bmc=False), tmp_path, QUICK)
    assert tools.calls == ["sync ", *PLAIN]


def test_a_bmc_that_speaks_redfish_only_is_not_asked_by_ipmi(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    redfish_only = msgspec.structs.replace(machine(), bmc=Bmc(redfish=RedfishInterface()))
    reboot(tools.run, redfish_only, tmp_path, QUICK)
    assert tools.calls == ["sync ", *PLAIN]


def test_a_bmc_that_takes_no_boot_setting_still_resets(tmp_path: Path) -> None:
    tools = Tools(tmp_path, 'case "$*" in *bootdev*) echo Invalid data field in request >&2; exit 1;; esac')
    reboot(tools.run, machine(), tmp_path, QUICK)
    assert "ipmitool chassis power reset" in tools.calls


def test_a_bmc_that_refuses_leaves_a_plain_reboot(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "exit 1")
    reboot(tools.run, machine(), tmp_path, QUICK)
    assert tools.calls[-2:] == PLAIN


@pytest.mark.parametrize("sync", ["exit 1", "exec tail -f /dev/null"])
def test_a_disk_that_does_not_take_what_was_written_keeps_no_machine_from_its_reboot(
    tmp_path: Path, sync: str
) -> None:
    tools = Tools(tmp_path, sync=sync)
    reboot(tools.run, machine(bmc=False), tmp_path, Timing(sync_s=0.2, reboot_s=0))
    assert tools.calls == ["sync ", *PLAIN]


def test_a_bmc_that_hangs_delays_the_reboot_no_longer_than_its_limit(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "exec tail -f /dev/null")
    reboot(tools.run, machine(), tmp_path, Timing(command_s=0.2, reset_s=0, reboot_s=0))
    assert tools.calls[-2:] == PLAIN
    assert tools.limits_s["ipmitool"] == 0.2


def test_arrays_are_stopped_first_and_no_tool_that_writes_to_a_disk_is_run(tmp_path: Path) -> None:
    (tmp_path / "sys/block/md127").mkdir(parents=True)
    tools = Tools(tmp_path)
    reboot(tools.run, machine(), tmp_path, QUICK)
    assert tools.calls[0] == "mdadm --stop /dev/md127"
    assert {call.split()[0] for call in tools.calls} == {"mdadm", "sync", "ipmitool", "systemctl"}


def test_a_container_is_stopped_after_the_arrays_in_it(tmp_path: Path) -> None:
    for name, metadata in (("md125", "external:imsm"), ("md126", "external:-md125/0"), ("md127", "1.2")):
        (tmp_path / f"sys/block/{name}/md").mkdir(parents=True)
        (tmp_path / f"sys/block/{name}/md/metadata_version").write_text(f"{metadata}\n")
    tools = Tools(tmp_path)
    reboot(tools.run, machine(), tmp_path, QUICK)
    assert [call.split()[-1] for call in tools.calls[:3]] == ["/dev/md126", "/dev/md127", "/dev/md125"]
