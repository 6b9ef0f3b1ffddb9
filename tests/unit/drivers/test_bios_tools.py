"""What the vendors' BIOS tools print, on outputs of real machines; the kernel's interface on a small tree."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bootos.drivers.bios.firmware_attributes import CLASS, FirmwareAttributesDriver
from bootos.drivers.bios.ilorest import (
    IlorestDriver,
    find_registry_path,
    find_settings_path,
    parse_json,
)
from bootos.drivers.bios.onecli import parse_settings
from bootos.drivers.bios.racadm import find_bios_job, parse_group, parse_groups
from bootos.drivers.bios.section import BiosState, export_section, plan_bios
from bootos.drivers.bios.setting import Condition, SetDetail, Setting
from bootos.drivers.bios.sum import SumDriver, build_change, parse_config
from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Planned
from bootos.process import Completed
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Inventory, System

GOLDEN = Path(__file__).parents[2] / "golden/drivers"
INVENTORY = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor="LENOVO"))


def build_template(**bios: Any) -> Template:
    template, problems = read_template({"name": "t", "bios": bios})
    assert template is not None
    assert problems == []
    return template


def read_group(name: str) -> dict[str, Setting]:
    text = (GOLDEN / f"bios.racadm/{name}.txt").read_text()
    return {setting.name: setting for setting in parse_group(text, "BiosBootSettings")}


def test_racadm_shows_values_that_hold_commas_and_none_at_all() -> None:
    settings = read_group("r320-boot-settings")
    assert settings["BootMode"].current == "Bios"
    assert str(settings["BootSeq"].current).startswith("HardDisk.List.1-1,NIC.Embedded.1-1-1,")
    assert read_group("uefi-boot-settings")["HddSeq"].current == ""
    assert settings["BootMode"].place == "BiosBootSettings"


def test_racadm_marks_what_is_read_only_at_the_moment() -> None:
    settings = read_group("uefi-boot-settings")
    assert settings["HddFailover"].read_only
    assert not settings["HddPlaceholder"].read_only


def test_racadm_shows_what_is_pending() -> None:
    setting = read_group("t640-controlled-turbo-pending")["ControlledTurbo"]
    assert (setting.current, setting.pending) == ("Disabled", "Enabled")


def test_racadm_lists_groups_and_the_job_that_waits() -> None:
    assert parse_groups("BIOS.SysInformation\nBIOS.MemSettings\n\nBIOS.MemSettings\n") == [
        "SysInformation",
        "MemSettings",
    ]
    text = (GOLDEN / "bios.racadm/jobqueue-scheduled.txt").read_text()
    assert find_bios_job(text) == "JID_xxxxxx"
    assert find_bios_job(text.replace("Status=Scheduled", "Status=Completed")) is None
    assert find_bios_job(text.replace("BIOS.Setup", "NIC.Setup")) is None


def read_sum(board: str) -> dict[str, Setting]:
    settings = parse_config((GOLDEN / f"bios.sum/{board}.xml").read_bytes())
    return {setting.name: setting for setting in settings}


@pytest.mark.parametrize(("board", "count"), [("x11sdv-8c-tp8f", 261), ("x11dpt-b", 313)])
def test_sum_files_of_real_boards_are_read_whole(board: str, count: int) -> None:
    settings = read_sum(board)
    assert len(settings) == count
    assert settings["Hyper-Threading [ALL]"].allowed == ("Disable", "Enable")
    cores = settings["Cores Enabled"]
    assert (cores.type, cores.current, cores.minimum, cores.maximum) == ("integer", 0, 0, 28)
    assert settings["Quiet Boot"].type == "boolean"
    assert [name for name in settings if name.endswith("Password")] == []


def test_sum_dependencies_are_found_in_the_settings_and_their_menus() -> None:
    settings = read_sum("x11sdv-8c-tp8f")
    found = [condition for lock in settings["Turbo Mode"].locks for condition in lock.when]
    assert found == [
        Condition(attribute="Power Technology", value="Custom", comparison="NEQ"),
        Condition(attribute="SpeedStep (Pstates)", value="Disable"),
    ]


def test_a_supermicro_board_is_planned_in_neutral_words() -> None:
    template = build_template(
        power_profile="custom", c_states="disabled", error_prompt="disabled", iommu="enabled"
    )
    settings = list(read_sum("x11sdv-8c-tp8f").values())
    planned = plan_bios(settings, template, "supermicro", "bios.sum", {})
    assert planned.problems == []
    assert [action.detail.name for action in planned.actions] == [
        "Power Technology",
        'Wait For "F1" If Error',
        "CPU C6 report",
        "Enhanced Halt State (C1E)",
        "Package C State",
    ]
    assert planned.notes == ["Intel® VT for Directed I/O (VT-d) is Enable as wanted"]


def test_the_file_of_changes_holds_them_in_their_menus_and_nothing_else() -> None:
    settings = read_sum("x11sdv-8c-tp8f")
    template = build_template(virtualization="disabled", vendor={"Cores Enabled": 4, "Quiet Boot": False})
    planned = plan_bios(list(settings.values()), template, "supermicro", "bios.sum", {})
    data = build_change([action.detail for action in planned.actions])
    again = {setting.name: setting for setting in parse_config(data)}
    assert {name: setting.current for name, setting in again.items()} == {
        "Intel Virtualization Technology": "Disable",
        "Cores Enabled": 4,
        "Quiet Boot": False,
    }
    assert {setting.place for setting in again.values()} == {
        "Advanced > CPU Configuration",
        "Advanced > Boot Feature",
    }


@pytest.mark.parametrize("board", ["x11sdv-8c-tp8f", "x11dpt-b"])
def test_what_a_supermicro_board_exports_plans_nothing_on_it(board: str) -> None:
    settings = list(read_sum(board).values())
    exported = export_section(settings, "supermicro")["bios"]
    assert "virtualization" in exported
    planned = plan_bios(settings, build_template(**exported), "supermicro", "bios.sum", {})
    assert (planned.actions, planned.problems) == ([], [])


def test_settings_of_one_name_are_told_apart_by_sums_number() -> None:
    """44 settings: eleven links, ten hot plugs, three serial ports of three settings, eleven boot options, and four
    that are alone."""
    settings = read_sum("x11dph-t")
    assert len(settings) == 44
    ports = [name for name in settings if "Console Redirection$" in name]
    assert [settings[name].current for name in ports] == [False, True, False]
    menu = "Advanced > Serial Port Console Redirection"
    speed = settings[f"{menu} > Console Redirection Settings > Bits per second$2"]
    assert (speed.current, speed.order, speed.spelling) == ("115200", "2", "Bits per second")
    assert [str(lock.when[0]) for lock in speed.locks] == [f"{menu} > Console Redirection$2 is false"]
    first = settings["Boot > Boot Option #1$3"]
    assert first.current == "Network:IBA 40-10G Slot 1A00 v1066"
    assert {str(lock.when[0]) for lock in first.locks} == {
        "Boot mode select is LEGACY",
        "Boot mode select is UEFI",
    }


def test_a_change_carries_sums_number_and_the_name_as_sum_writes_it() -> None:
    settings = list(read_sum("x11dph-t").values())
    menu = "Advanced > PCH SATA Configuration"
    template = build_template(
        vendor={f"{menu} > Hot Plug$3": "Disable", "Boot > Boot Option #1$3": "CD/DVD"}, tpm="disabled"
    )
    planned = plan_bios(settings, template, "supermicro", "bios.sum", {})
    assert planned.problems == []
    root = ElementTree.fromstring(build_change([action.detail for action in planned.actions]))
    assert {
        (item.get("name"), item.get("order"), item.get("selectedOption")) for item in root.iter("Setting")
    } == {
        ("  Hot Plug", "3", "Disable"),
        ("  Security Device Support", None, "Disable"),
        ("Boot Option #1", "3", "CD/DVD"),
    }


def test_a_board_that_starts_either_way_is_dual() -> None:
    settings = list(read_sum("x11dph-t").values())
    exported = export_section(settings, "supermicro")["bios"]
    assert (exported["boot_mode"], exported["tpm"], exported["virtualization"]) == (
        "dual",
        "enabled",
        "enabled",
    )
    planned = plan_bios(settings, build_template(**exported), "supermicro", "bios.sum", {})
    assert (planned.actions, planned.problems) == ([], [])


def test_what_sum_says_before_the_file_does_no_harm() -> None:
    data = (GOLDEN / "bios.sum/x11dph-t.xml").read_bytes()
    assert (
        len(parse_config(b"Supermicro Update Manager (for UEFI BIOS) 2.5.0\n\n" + data + b"\n{\n}\n")) == 44
    )


def test_the_sum_of_coreutils_is_not_taken_for_supermicros() -> None:
    supermicro = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor="Supermicro"))
    found = SumDriver().match(supermicro)
    assert found is not None
    assert "saa or sum is not in this image" in found.reason


def test_a_file_that_is_no_xml_is_told() -> None:
    with pytest.raises(DriverError, match="is not XML"):
        parse_config(b"*** glibc detected ***")


SHOWN = """
Lenovo XClarity Essentials OneCLI lxce_onecli01l-4.3.0
IMM.HostName1=node1
IMM.PowerRestorePolicy=Restore
OperatingModes.ChooseOperatingMode=Custom Mode
Processors.HyperThreading=Enable
Processors.CStates=Legacy
BootModes.SystemBootMode=UEFI Mode
SystemRecovery.POSTWatchdogTimerValue=5
Success.
"""
VALUES = """
OperatingModes.ChooseOperatingMode=Minimal Power=<Efficiency -Favor Performance>=Custom Mode=Maximum Performance
Processors.HyperThreading=<Enable>=Disable
Processors.CStates=<Legacy>=Autonomous=Disable
BootModes.SystemBootMode=<UEFI Mode>=Legacy Mode
IMM.PowerRestorePolicy=Always Off=<Restore>=Always On
SystemRecovery.POSTWatchdogTimerValue=numeric min=5 max=20 step=1 default=5
"""


def test_onecli_settings_have_their_values_limits_and_defaults() -> None:
    settings = {setting.name: setting for setting in parse_settings(SHOWN, VALUES)}
    assert "IMM.HostName1" not in settings
    assert settings["IMM.PowerRestorePolicy"].current == "Restore"
    threads = settings["Processors.HyperThreading"]
    assert (threads.allowed, threads.default) == (("Enable", "Disable"), "Enable")
    timer = settings["SystemRecovery.POSTWatchdogTimerValue"]
    assert (timer.type, timer.current, timer.minimum, timer.maximum) == ("integer", 5, 5, 20)
    template = build_template(hyperthreading="disabled", c_states="disabled", boot_mode="legacy")
    planned = plan_bios(list(settings.values()), template, "lenovo", "bios.onecli", {})
    assert planned.problems == []
    assert {action.detail.name: action.detail.value for action in planned.actions} == {
        "Processors.HyperThreading": "Disable",
        "Processors.CStates": "Disable",
        "BootModes.SystemBootMode": "Legacy Mode",
    }


def test_ilorest_finds_its_json_behind_a_banner_and_follows_the_links() -> None:
    text = 'iLORest : RESTful Interface Tool version 5.1.0.0\n-----\n{\n "Attributes": {}\n}\n'
    assert parse_json(text, "/x") == {"Attributes": {}}
    with pytest.raises(DriverError, match="no JSON for /x"):
        parse_json("\x1b[2J*** glibc detected ***\n{\x00", "/x")
    assert (
        find_settings_path({"@odata.id": "/redfish/v1/systems/1/bios/"})
        == "/redfish/v1/systems/1/bios/settings/"
    )
    places = {"Location": [{"Language": "ja", "Uri": "/ja"}, {"Language": "en", "Uri": {"extref": "/en"}}]}
    assert find_registry_path(places) == "/en"


NO_REFERENCES: tuple[Any, ...] = (
    None,
    True,
    7,
    "x",
    [],
    [None],
    {},
    {"x": None},
    {"@odata.id": None},
    {"@odata.id": ["/x"]},
)


@pytest.mark.parametrize("wrong", NO_REFERENCES, ids=repr)
def test_ilorest_goes_where_settings_are_by_rule_where_the_service_says_nothing_of_sense(wrong: Any) -> None:
    usual = "/redfish/v1/systems/1/bios/settings/"
    own = {"@odata.id": "/redfish/v1/systems/1/bios/"}
    assert find_settings_path({**own, "@Redfish.Settings": wrong}) == usual
    assert find_settings_path({**own, "@Redfish.Settings": {"SettingsObject": wrong}}) == usual
    assert find_settings_path({"@odata.id": wrong if wrong != "x" else None}).lower() == usual


@pytest.mark.parametrize("wrong", NO_REFERENCES, ids=repr)
@pytest.mark.parametrize("key", ["Bios", "Oem", "Attributes", "AttributeRegistry", "@Redfish.Settings"])
def test_ilorest_reads_resources_that_have_anything_at_a_place(key: str, wrong: Any, tmp_path: Path) -> None:
    def answer(argv: Any, **options: Any) -> Completed:
        path = str(argv[3]).lower().rstrip("/")
        body: Any = {"Attributes": {"Left": "Alone"}, "@odata.id": path}
        if path == "/redfish/v1/systems/1":
            body = {"Bios": {"@odata.id": f"{path}/bios"}}
        told = {**body, key: wrong} if "registries" not in path else {}
        return Completed(argv=tuple(argv), returncode=0, stdout=json.dumps(told), stderr="", duration_s=0.0)

    settings = IlorestDriver().read_settings(Machine(run=answer, root=tmp_path), "ilorest")
    assert [setting.name for setting in settings] in (["Left"], ["x"], ["@odata.id"], [])


class Tree:
    """/sys/class/firmware-attributes of a ThinkSystem as think-lmi shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / CLASS / "thinklmi"
        self.add("VirtualizationTechnology", "enumeration", "Disable", possible_values="Disable;Enable")
        self.add("HyperThreadingTechnology", "enumeration", "Enable", possible_values="Disable;Enable")
        self.add("BootDelay", "integer", "5", min_value="0", max_value="30", scalar_increment="5")
        (self.folder / "attributes/pending_reboot").write_text("0\n")
        admin = self.folder / "authentication/Admin"
        admin.mkdir(parents=True)
        (admin / "is_enabled").write_text("1\n")
        (admin / "current_password").write_text("")
        self.driver = FirmwareAttributesDriver(root)
        self.machine = Machine(root=root)

    def add(self, name: str, kind: str, value: str, **more: str) -> None:
        folder = self.folder / "attributes" / name
        folder.mkdir(parents=True)
        for file, text in {"type": kind, "current_value": value, "display_name": name, **more}.items():
            (folder / file).write_text(f"{text}\n")

    def plan(self, secrets: dict[str, str] | None = None, **bios: Any) -> Planned:
        state = self.driver.read(self.machine, INVENTORY)
        return self.driver.plan(state, build_template(**bios), secrets or {}, Forecast())

    def show(self, name: str) -> str:
        return (self.folder / "attributes" / name / "current_value").read_text()


def test_the_kernels_attributes_are_read_planned_and_written(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    secrets = {"setup": "hunter2"}
    wanted = {"virtualization": "enabled", "vendor": {"BootDelay": 10}, "password": {"secret": "setup"}}
    planned = tree.plan(secrets, **wanted)
    assert planned.problems == []
    assert [action.id for action in planned.actions] == [
        "bios.firmware_attributes:set:VirtualizationTechnology",
        "bios.firmware_attributes:set:BootDelay",
    ]
    tree.driver.apply_batch(tree.machine, planned.actions, secrets)
    assert (tree.show("VirtualizationTechnology"), tree.show("BootDelay")) == ("Enable", "10")
    assert (tree.folder / "authentication/Admin/current_password").read_text() == "hunter2"
    assert tree.plan(secrets, **wanted).actions == []


def test_limits_of_the_kernels_attributes_are_kept(tmp_path: Path) -> None:
    found = Tree(tmp_path).plan(vendor={"BootDelay": 31, "HyperThreadingTechnology": "Off"}).problems
    assert [problem.message for problem in found] == [
        "BootDelay cannot be 31",
        "HyperThreadingTechnology does not take 'Off'",
    ]


def test_a_restart_that_the_kernel_knows_to_be_pending_is_a_note(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tree.folder / "attributes/pending_reboot").write_text("1\n")
    assert any("wait for a restart" in note for note in tree.plan(virtualization="disabled").notes)


def test_a_write_that_the_firmware_refuses_names_the_setting(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (action,) = tree.plan(virtualization="enabled").actions
    lost = tmp_path / CLASS / "thinklmi/attributes/VirtualizationTechnology/current_value"
    lost.unlink()
    lost.mkdir()
    with pytest.raises(DriverError, match="did not take VirtualizationTechnology = Enable"):
        tree.driver.apply(tree.machine, action, {})


def test_without_the_kernels_interface_the_driver_takes_no_machine(tmp_path: Path) -> None:
    assert FirmwareAttributesDriver(tmp_path).match(INVENTORY) is None
    found = Tree(tmp_path).driver.match(INVENTORY)
    assert found is not None
    assert "thinklmi" in found.reason


def test_the_state_survives_being_saved() -> None:
    import msgspec

    state = BiosState(vendor="dell", settings=[Setting(name="A", current=1), Setting(name="B", current=True)])
    assert msgspec.json.decode(msgspec.json.encode(state), type=BiosState) == state
    detail = SetDetail(name="A", value=1)
    assert Action(id="a", driver="d", summary="s", detail=detail).detail.value == 1
