"""firmware.fwupd and firmware.flashrom against machines that remember what was flashed."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import msgspec
import pytest
from raidrig import RaidRig, build_drives

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Planned
from bootos.drivers.firmware.flashrom import FlashromDriver
from bootos.drivers.firmware.fwupd import FwupdDriver, parse_devices
from bootos.drivers.firmware.package import PackageDriver
from bootos.drivers.firmware.source import read_installed
from bootos.drivers.raid.smartarray import SmartArrayDriver
from bootos.process import Command, Completed, Options
from bootos.template.check import read_template
from bootos.wire.inventory import Bios, Disk, DiskType, Inventory, Nic, System

GOLDEN = Path(__file__).parents[1] / "golden/drivers"
SERIAL = "S4GNNX0NC13964"


def build_inventory(vendor: str = "HP") -> Inventory:
    return Inventory(
        collected_at="2024-01-01T00:00:00Z",
        system=System(vendor=vendor),
        bios=Bios(version="P62 v2.90"),
        disks=[
            Disk(
                index=0, name="nvme0n1", path="/dev/nvme0n1", size_bytes=1, serial=SERIAL, firmware="HPS0NEXH",
                type=DiskType.NVME, model="MZVLB256HBHQ-000H1",
            )
        ],
        nics=[Nic(name="eth0", mac="52:54:00:00:00:01", firmware="5.51")],
    )  # fmt: skip


class Tools:
    """fwupdtool and flashrom; what they wrote is there after `boot`."""

    def __init__(self, root: Path) -> None:
        self.devices = json.loads((GOLDEN / "firmware.fwupd/workstation.json").read_text())
        self.pending: dict[str, str] = {}
        self.chip = b"old" * 100
        self.calls: list[list[str]] = []
        self.broken: str = ""
        self.machine = Machine(run=self.run, root=root)

    def boot(self) -> None:
        for device in self.devices["Devices"]:
            device["Version"] = self.pending.pop(device["DeviceId"], device.get("Version"))

    def run(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = list(command.words)
        self.calls.append(words)
        if self.broken == "hang":
            raise command.build_late("was ended")
        code, out = self._flash(words) if words[0] == "flashrom" else self._update(words)
        return command.complete(code, out)

    def _update(self, words: list[str]) -> tuple[int, str]:
        if words[1:] == ["get-devices", "--json"]:
            return (0, "junk {") if self.broken == "junk" else (0, json.dumps(self.devices))
        assert words[1] == "install"
        assert words[4:6] == ["--no-reboot-check", "--json"]
        if self.broken == "refuse":
            return 1, json.dumps(
                {"Error": {"Domain": "FwupdError", "Code": 8, "Message": "not enough battery"}}
            )
        version = json.loads(Path(words[2]).read_text())["version"]
        self.pending[words[3]] = version
        return 0, "{}"

    def _flash(self, words: list[str]) -> tuple[int, str]:
        assert words[1:3] == ["-p", "internal"]
        file = Path(words[-1])
        if words[-2] == "-r":
            if self.broken == "read":
                return 1, "No EEPROM/flash device found."
            file.write_bytes(self.chip)
            return 0, "Reading flash... done.\n"
        assert words[-2] == "-w"
        if self.broken == "write":
            return 3, (GOLDEN / "firmware.flashrom/unknown-state.txt").read_text()
        if self.broken == "silent":
            return 0, "Erasing and writing flash chip...\n"
        self.chip = file.read_bytes()
        return 0, (GOLDEN / "firmware.flashrom/verified.txt").read_text()


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = Tools(root)
        self.has_tools = True

    def find(self, name: str) -> str | None:
        return name if self.has_tools and name in ("fwupdtool", "flashrom") else None

    def build_item(
        self, component: str, version: str, name: str, content: bytes, **more: Any
    ) -> dict[str, Any]:
        path = self.root / name
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return {
            "component": component, "version": version, "package": f"file://{path}", "sha256": digest, **more,
        }  # fmt: skip

    def build_cab(self, component: str, version: str, **more: Any) -> dict[str, Any]:
        content = json.dumps({"version": version}).encode()
        return self.build_item(component, version, f"{component}.cab", content, **more)

    def build_rom(self, content: bytes, **more: Any) -> dict[str, Any]:
        words = {"method": "flashrom", "may_brick": True, **more}
        return self.build_item("bios", "2.91", "bios.rom", content, **words)

    def plan(self, driver: FwupdDriver | FlashromDriver, *items: dict[str, Any]) -> Planned:
        template, problems = read_template({"name": "t", "firmware": list(items)})
        assert problems == []
        assert template is not None
        assert driver.wants(template)
        return driver.plan(driver.read(self.tools.machine, build_inventory()), template, {}, Forecast())

    def flash(self, driver: FwupdDriver | FlashromDriver, *items: dict[str, Any]) -> list[Action]:
        planned = self.plan(driver, *items)
        assert planned.problems == []
        for action in planned.actions:
            driver.apply(self.tools.machine, action, {})
        return planned.actions


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_of_what_fwupd_lists_only_components_that_can_be_updated_count() -> None:
    parts = parse_devices((GOLDEN / "firmware.fwupd/workstation.json").read_text())
    assert [(part.component, part.id, part.version) for part in parts] == [
        ("drive", f"drive:{SERIAL}", "HPS0NEXH"),
        ("bios", "bios", "2.90"),
    ]


def test_fwupd_installs_local_cabinets_and_the_versions_are_there_after_the_reboot(bench: Bench) -> None:
    driver = FwupdDriver(bench.find)
    items = [bench.build_cab("drive", "HPS1NEXH", unordered=True), bench.build_cab("bios", "2.91")]
    actions = bench.flash(driver, *items)
    assert [(action.id, action.reboot) for action in actions] == [
        ("firmware.fwupd:bios:2.91", True),
        ("firmware.fwupd:drive:HPS1NEXH", True),
    ]
    assert [action.id for action in bench.plan(driver, *items).actions] == [action.id for action in actions]
    bench.tools.boot()
    assert bench.plan(driver, *items).actions == []
    assert not list((bench.root / "run/bootos/firmware").iterdir())
    bench.flash(driver, bench.build_cab("bios", "2.85", allow_downgrade=True))
    assert bench.tools.calls[-1][-1] == "--allow-older"


def test_a_capsule_that_was_cut_off_is_begun_again(bench: Bench) -> None:
    bench.tools.machine.begun = frozenset({"firmware.fwupd:bios:2.91", "raid.mdadm:create:os"})
    planned = bench.plan(FwupdDriver(bench.find), bench.build_cab("bios", "2.91"))
    assert planned.problems == []
    assert "begun again" in planned.notes[0]


def test_fwupds_own_words_say_why_it_refused(bench: Bench) -> None:
    bench.tools.broken = "refuse"
    with pytest.raises(DriverError, match=r"BIOS to 2\.91: BIOS: fwupd says: not enough battery"):
        bench.flash(FwupdDriver(bench.find), bench.build_cab("bios", "2.91"))


def test_without_fwupd_a_current_version_is_no_problem_and_another_one_says_what_is_missing(
    bench: Bench,
) -> None:
    bench.has_tools = False
    driver = FwupdDriver(bench.find)
    match = driver.match(build_inventory())
    assert match is not None
    assert "fwupdtool is not in this image" in match.reason
    assert bench.plan(driver, bench.build_cab("bios", "2.90")).problems == []
    (problem,) = bench.plan(driver, bench.build_cab("bios", "2.91")).problems
    assert (problem.path, problem.message) == ("firmware[0]", "fwupdtool is not in this image")
    bench.has_tools = True
    bench.tools.broken = "junk"
    (problem,) = bench.plan(driver, bench.build_cab("bios", "2.91")).problems
    assert "printed something else" in problem.message


def test_a_part_that_fwupd_does_not_know_is_named(bench: Bench) -> None:
    (problem,) = bench.plan(FwupdDriver(bench.find), bench.build_cab("nic", "6.0")).problems
    assert problem.message == "fwupd knows no updatable device for NIC eth0"


def test_flashrom_reads_the_chip_writes_the_image_and_wants_it_verified(bench: Bench) -> None:
    image = b"new" * 100
    actions = bench.flash(FlashromDriver(bench.find), bench.build_rom(image))
    assert [action.reboot for action in actions] == [True]
    assert bench.tools.chip == image
    assert [words[-2] for words in bench.tools.calls] == ["-r", "-w"]
    assert not list((bench.root / "run/bootos/firmware").iterdir())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("read", r"BIOS to 2\.91: the chip cannot be read, so it is not written"),
        ("write", r"BIOS to 2\.91: flashrom did not verify.*exit code 3.*unknown state"),
        ("silent", r"BIOS to 2\.91: flashrom did not verify"),
        ("hang", r"BIOS to 2\.91: the chip cannot be read"),
    ],
)
def test_a_chip_that_was_not_verified_is_never_done(bench: Bench, broken: str, message: str) -> None:
    driver = FlashromDriver(bench.find)
    planned = bench.plan(driver, bench.build_rom(b"new" * 100))
    bench.tools.broken = broken
    with pytest.raises(DriverError, match=message) as raised:
        driver.apply(bench.tools.machine, planned.actions[0], {})
    assert ("bios-before.rom" in raised.value.hint) == (broken in ("write", "silent"))
    assert bench.tools.chip == b"old" * 100


def test_an_image_of_another_size_is_not_written(bench: Bench) -> None:
    with pytest.raises(DriverError, match="nothing was written"):
        bench.flash(FlashromDriver(bench.find), bench.build_rom(b"new"))
    bench.flash(FlashromDriver(bench.find), bench.build_rom(b"new", options=["--ifd", "-i", "bios"]))
    assert bench.tools.calls[-1][3:6] == ["--ifd", "-i", "bios"]


def test_a_chip_that_was_cut_off_is_not_written_again_without_a_word(bench: Bench) -> None:
    bench.tools.machine.begun = frozenset({"firmware.flashrom:bios:2.91"})
    (problem,) = bench.plan(FlashromDriver(bench.find), bench.build_rom(b"new" * 100)).problems
    assert problem.path == "firmware[0].resume"


@pytest.mark.parametrize(
    ("vendor", "programs", "file", "version"),
    [
        ("Dell Inc.", ["racadm"], "getversion.txt", "2.10.0"),
        ("Supermicro", ["sum"], "getbiosinfo-showall.txt", "1.0"),
        ("Supermicro", [], "getbiosinfo-showall.txt", "P62 v2.90"),
        ("Lenovo", ["racadm"], "getversion.txt", "P62 v2.90"),
    ],
)
def test_the_vendors_own_tool_is_believed_before_the_inventory(
    tmp_path: Path, vendor: str, programs: list[str], file: str, version: str
) -> None:
    text = (GOLDEN / "firmware.package" / file).read_text()

    def run(argv: Sequence[Any], **_: Any) -> Completed:
        return Completed(argv=tuple(argv), returncode=0, stdout=text, stderr="", duration_s=0)

    parts = read_installed(
        Machine(run=run, root=tmp_path),
        build_inventory(vendor),
        lambda name: name if name in programs else None,
    )
    assert next(part.version for part in parts if part.id == "bios") == version


def test_raid_controllers_and_the_drives_behind_them_are_read_by_their_own_driver(tmp_path: Path) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(3))
    parts = read_installed(rig.machine, rig.build_inventory(), lambda name: None)
    (controller,) = [part for part in parts if part.component == "raid"]
    state = rig.driver.read(rig.machine, rig.build_inventory())
    assert controller.version == state.controllers[0].firmware != ""
    drives = [part for part in parts if part.component == "drive"]
    assert [(part.slot, part.version) for part in drives] == [
        (drive.id, drive.firmware) for drive in state.controllers[0].drives
    ]
    rig.hardware.absent = frozenset({"ssacli", "hpssacli", "hpacucli"})
    parts = read_installed(rig.machine, rig.build_inventory(), lambda name: None)
    assert [part.version for part in parts if part.component == "raid"] == [None]


def test_a_controller_whose_driver_cannot_make_out_its_disks_keeps_the_version_of_the_inventory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = RaidRig(tmp_path, SmartArrayDriver(), drives=build_drives(3))
    inventory = rig.build_inventory()
    inventory.raid[0].firmware = "6.60"

    def run(argv: Sequence[Any], **options: Any) -> Completed:
        done = rig.hardware.run(argv, **options)
        return msgspec.structs.replace(done, stdout="null") if argv[0] == "lsblk" else done

    parts = read_installed(Machine(run=run, root=tmp_path), inventory, lambda name: None)
    assert [part.version for part in parts if part.component == "raid"] == ["6.60"]
    assert "the firmware of RAID controllers is not read by raid.smartarray" in caplog.text


def build_zip(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("payloads/lnvgy_fw_uefi_ive164l-2.30_anyos_32-64.uxz", "image")
        archive.writestr("lnvgy_fw_uefi_ive164l-2.30_anyos_32-64.xml", "<INSTANCE/>")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lenovo_package_is_unpacked_for_onecli_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    path = tmp_path / "lnvgy_fw_uefi_ive164l-2.30_anyos_32-64.zip"
    digest = build_zip(path)
    seen: list[list[str]] = []

    def run(argv: Sequence[Any], **_: Any) -> Completed:
        words = [str(word) for word in argv]
        directory = Path(words[words.index("--dir") + 1])
        assert (directory / f"{path.stem}.xml").is_file()
        assert (directory / "payloads" / f"{path.stem}.uxz").is_file()
        seen.append(words)
        return Completed(argv=tuple(words), returncode=0, stdout="Succeeded", stderr="", duration_s=0)

    item = {"component": "bios", "version": "IVE164L-2.30", "package": f"file://{path}", "sha256": digest}
    template, problems = read_template({"name": "t", "firmware": [item]})
    assert template is not None
    assert problems == []
    inventory = Inventory(
        collected_at="", system=System(vendor="Lenovo"), bios=Bios(version="-[IVE160M-2.20]-")
    )
    machine = Machine(run=run, root=tmp_path)
    driver = PackageDriver(lambda name: name if name == "onecli" else None)
    (action,) = driver.plan(driver.read(machine, inventory), template, {}, Forecast()).actions
    driver.apply(machine, action, {})
    (words,) = seen
    assert words[:5] == ["onecli", "update", "flash", "--scope", "individual"]
    assert words[words.index("--includeid") + 1] == path.stem
    assert not list((tmp_path / "run/bootos/firmware").iterdir())
    path.write_bytes(b"no zip")
    broken = msgspec.structs.replace(action.detail.package, sha256=hashlib.sha256(b"no zip").hexdigest())
    again = msgspec.structs.replace(action, detail=msgspec.structs.replace(action.detail, package=broken))
    with pytest.raises(DriverError, match="cannot be unpacked"):
        driver.apply(machine, again, {})


def run_program(root: Path, content: bytes, **more: Any) -> str:
    """Run a package of one's own for real; returns what it did, or why it failed."""
    path = root / "update"
    path.write_bytes(content)
    item = {
        "component": "bios",
        "version": "2.0",
        "package": f"file://{path}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": "plain",
        **more,
    }
    template, problems = read_template({"name": "t", "firmware": [item]})
    assert template is not None
    assert problems == []
    inventory = Inventory(collected_at="", bios=Bios(version="1.0"))
    machine = Machine(root=root)
    driver = PackageDriver(lambda name: None)
    (action,) = driver.plan(driver.read(machine, inventory), template, {}, Forecast()).actions
    try:
        driver.apply(machine, action, {})
    except DriverError as error:
        return f"{error} ({error.hint})"
    assert not list((root / "run/bootos/firmware").iterdir())
    return (root / "told").read_text()


def test_a_program_of_ones_own_is_run_with_the_items_words(tmp_path: Path) -> None:
    script = f'#!/bin/sh\necho "${{0##*/}} $*" > {tmp_path}/told\nexit 3\n'.encode()
    assert run_program(tmp_path, script, options=["--yes", "now"], reboot_codes=[3]) == "update --yes now\n"
    said = run_program(tmp_path, script, reboot_codes=[3], reboot=False)
    assert "asks for a reboot (exit code 3), which the plan does not hold (reboot: true)" in said
    assert "BIOS to 2.0: the program ended with exit code 3" in run_program(tmp_path, script)


def test_a_file_that_is_no_program_is_told_from_one_that_hangs(tmp_path: Path) -> None:
    assert "BIOS to 2.0: the package cannot be run" in run_program(tmp_path, b"\x7fELF and no more")
    hanging = b"#!/bin/sh\nread forever < /dev/zero\n"
    assert "did not end by itself" in run_program(tmp_path, hanging, timeout_s=1)


def test_the_bios_that_smbios_tells_is_read_anew_and_spelled_as_hpe_does(tmp_path: Path) -> None:
    strings = b"HPE\0U30\x0007/14/2022\0\0"
    bios = bytes([0, 24, 0, 0, 1, 2, 0, 0, 3, *[0] * 11, 2, 68, 255, 255]) + strings
    end = bytes([127, 4, 1, 0]) + b"\0\0"
    tables = tmp_path / "sys/firmware/dmi/tables"
    tables.mkdir(parents=True)
    (tables / "DMI").write_bytes(bios + end)
    (tables / "smbios_entry_point").write_bytes(b"_SM3_" + bytes([0, 24, 3, 2, 0]) + bytes(14))
    parts = read_installed(Machine(root=tmp_path), build_inventory("HPE"), lambda name: None)
    assert next(part.version for part in parts if part.id == "bios") == "U30 v2.68 (07/14/2022)"


def test_tools_are_asked_only_for_what_the_template_names_and_nobody_told_yet(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def run(argv: Sequence[Any], **_: Any) -> Completed:
        asked.append([str(word) for word in argv])
        said = "bios U30 v2.68\n" if argv[0] == "firmware-versions" else '{"FirmwareVersion": "iLO 5 v2.78"}'
        return Completed(argv=(), returncode=0, stdout=said, stderr="", duration_s=0)

    hop = {"version": "3", "package": "file:///x", "sha256": "0" * 64}
    machine = Machine(run=run, root=tmp_path)
    for component, count in (("bios", 1), ("bmc", 3)):
        machine.template, _ = read_template({"name": "t", "firmware": [{"component": component, **hop}]})
        parts = read_installed(machine, build_inventory("HPE"), lambda name: name)
        version = next((part.version for part in parts if part.id == component), None)
        assert version == {"bios": "U30 v2.68", "bmc": "iLO 5 v2.78"}[component]
        assert len(asked) == count


@pytest.mark.parametrize("driver", [PackageDriver(), FwupdDriver(), FlashromDriver()], ids=lambda d: d.name)
def test_no_driver_takes_the_sum_of_coreutils_for_supermicros(driver: Any, tmp_path: Path) -> None:
    called: list[str] = []

    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        called.append(str(argv[0]))
        raise Command(argv, **options).build_missing()

    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor="Supermicro"))
    driver.read(Machine(run=run, root=tmp_path), inventory)
    assert "sum" not in called
