"""The Redfish drivers on trees of resources that real services showed (`golden/drivers/redfish.trees`)."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from redfishtree import TreeService, serve_tree

from bootos.drivers.bios.redfish import BiosRedfishDriver
from bootos.drivers.contract import Action
from bootos.drivers.firmware.redfish import FirmwareRedfishDriver
from bootos.drivers.firmware.state import Installed
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.template.bios import NEUTRAL_NAMES


class Serve(Protocol):
    def __call__(self, name: str, vendor: str = "") -> TreeService: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(name: str, vendor: str = "") -> TreeService:
            service = stack.enter_context(serve_tree(name))
            service.set_vendor(vendor)
            return service

        yield start


def build_user(**more: Any) -> dict[str, Any]:
    return {"name": "deploy", "password": {"secret": "oob-ops"}, **more}


def test_a_service_without_accounts_is_a_problem_of_the_template(serve: Serve) -> None:
    """The account service is linked and answers 404."""
    planned = serve("no-accounts").plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert [(problem.path, problem.message) for problem in planned.problems] == [
        ("oob.users", "this Redfish service shows no accounts")
    ]
    assert planned.actions == []


def test_an_account_that_shows_ilos_privileges_alone_is_an_administrator_by_them(serve: Serve) -> None:
    planned = serve("ilo5-account-without-role").plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert (planned.problems, planned.actions) == ([], [])
    assert "BMC user 'deploy' is as wanted" in planned.notes


def test_the_role_of_such_an_account_is_changed_by_its_privileges(serve: Serve) -> None:
    service = serve("ilo5-account-without-role")
    service.keeps = True
    template = {"oob": {"users": [build_user(role="user")]}}
    service.apply(RedfishDriver(), template)
    ((method, path, body),) = service.changes
    assert (method, path) == ("PATCH", "/redfish/v1/AccountService/Accounts/1")
    assert sorted(body) == ["Oem"]
    privileges = body["Oem"]["Hpe"]["Privileges"]
    assert [name for name, has in privileges.items() if has] == ["LoginPriv"]
    assert service.plan(RedfishDriver(), template).actions == []


def test_such_an_account_cannot_be_disabled_and_that_is_said(serve: Serve) -> None:
    template = {"oob": {"users": [build_user(enabled=False)]}}
    (problem,) = serve("ilo5-account-without-role").plan(RedfishDriver(), template).problems
    assert problem.path == "oob.users[0].enabled"


def test_ciscos_roles_are_called_otherwise(serve: Serve) -> None:
    """admin, user and readonly; the service is one that has the account `admin`."""
    service = serve("cisco-c240-m5")
    admin = {"name": "admin", "password": {"secret": "oob-admin"}}
    planned = service.plan(RedfishDriver(), {"oob": {"users": [admin]}})
    assert (planned.problems, planned.actions) == ([], [])
    service.keeps = True
    for role, called in (("operator", "user"), ("user", "readonly")):
        service.apply(RedfishDriver(), {"oob": {"users": [{**admin, "role": role}]}})
        assert service.changes[-1][2]["RoleId"] == called


def test_ciscos_power_policy_is_the_systems(serve: Serve) -> None:
    planned = serve("cisco-c240-m5").plan(RedfishDriver(), {"oob": {"power_policy": "off"}})
    assert (planned.problems, planned.actions) == ([], [])


def test_an_account_that_shows_neither_role_nor_privileges_keeps_what_it_has(serve: Serve) -> None:
    service = serve("ilo5-account-without-role")
    del service.find("/redfish/v1/AccountService/Accounts/1")["Oem"]
    planned = service.plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert (planned.problems, planned.actions) == ([], [])
    assert any("does not show its role" in note for note in planned.notes)


def test_lenovos_power_policy_is_found_at_the_power_subsystem_too(serve: Serve) -> None:
    """The XCC that the tree was cut from has it at both; a service of today need not have the older one."""
    service = serve("lenovo-power-restore")
    chassis = service.find("/redfish/v1/Chassis/1")
    chassis["PowerSubsystem"] = {"@odata.id": "/redfish/v1/Chassis/1/PowerSubsystem"}
    del chassis["Power"]
    service.tree["/redfish/v1/chassis/1/powersubsystem"] = service.tree.pop("/redfish/v1/chassis/1/power")
    service.find("/redfish/v1/Systems/1")["Links"].pop("Chassis")
    planned = service.plan(RedfishDriver(), {"oob": {"power_policy": "off"}})
    (action,) = planned.actions
    assert action.detail.path == "/redfish/v1/Chassis/1/PowerSubsystem"
    assert action.detail.body == {"Oem": {"Lenovo": {"PowerRestorePolicy": "AlwaysOff"}}}


def test_lenovos_power_policy_is_found_at_the_power_of_the_chassis(serve: Serve) -> None:
    service = serve("lenovo-power-restore")
    service.keeps = True
    planned = service.plan(RedfishDriver(), {"oob": {"power_policy": "last"}})
    assert (planned.problems, planned.actions) == ([], [])
    assert "the power policy is as wanted" in planned.notes
    template = {"oob": {"power_policy": "on"}}
    service.apply(RedfishDriver(), template)
    assert service.changes == [
        ("PATCH", "/redfish/v1/Chassis/1/Power", {"Oem": {"Lenovo": {"PowerRestorePolicy": "AlwaysOn"}}})
    ]
    assert service.plan(RedfishDriver(), template).actions == []


def test_an_ilo_tells_the_power_policy_that_the_bios_has(serve: Serve) -> None:
    """The tree is cut; the iLO that it was cut from shows `PowerAutoOn` so, and so does an iLO 6."""
    service = serve("ilo5-account-without-role")
    service.find("/redfish/v1/Systems/1")["Oem"]["Hpe"]["PowerAutoOn"] = "Restore"
    planned = service.plan(RedfishDriver(), {"oob": {"power_policy": "last"}})
    assert (planned.problems, planned.actions) == ([], [])
    (problem,) = service.plan(RedfishDriver(), {"oob": {"power_policy": "on"}}).problems
    assert (problem.path, problem.hint) == ("oob.power_policy", "bios.power_restore: on")


X13 = {
    "virtualization": ("enabled", "IntelVirtualizationTechnology_3C6F", "Disable"),
    "iommu": ("enabled", "IntelVTforDirectedI_O_VT_d__1E32", "Disable"),
    "sriov": ("enabled", "SR_IOVSupport_0047", "Disabled"),
    "hyperthreading": ("enabled", "Hyper_Threading_ALL__F27F", "Disable"),
    "numa": ("enabled", "NUMA_003B", "Disabled"),
    "sub_numa": (None, "SNC_F300", "Disable"),
    "c_states": ("enabled", "CPUC6Report_3D22", "Disable"),
    "turbo": ("enabled", "TurboMode_3D06", "Disable"),
    "power_profile": ("custom", "PowerTechnology_FF77", "Energy Efficient"),
    "power_restore": ("last", "RestoreonACPowerLoss_0035", "Power On"),
    "above_4g": ("enabled", "Above4GDecoding_0041", "Disabled"),
    "secure_boot": ("disabled", "SecureBootEnable_0122", True),
    "tpm": ("enabled", "SecurityDeviceSupport_005A", "Disable"),
    "pxe_nic": ("enabled", "IPv4PXESupport_00F4", "Disabled"),
    "error_prompt": ("disabled", "WaitFor_F1_IfError_0030", "Enabled"),
}
DGX = {
    "virtualization": ("enabled", "ProcessorVmxEnable", "Disable"),
    "iommu": ("enabled", "VTdSupport", "Disable"),
    "sriov": ("enabled", "SriovSupport", "Disabled"),
    "hyperthreading": ("enabled", "ProcessorHyperThreadingDisable", "Disabled"),
    "numa": ("enabled", "NumaEn", "Disable"),
    "c_states": ("enabled", "PackageCState", "C0/C1 state"),
    "turbo": ("enabled", "TurboMode", "Disable"),
    "power_restore": (None, "PowerControlPolicy", "Power Restore"),
    "secure_boot": ("disabled", "SecureBootSupport", "Enabled"),
    "tpm": ("enabled", "TpmSupport", "Disable"),
    "pxe_nic": ("enabled", "Ipv4Pxe", "Disabled"),
}
A42 = {
    "iommu": ("enabled", "ProcAmdIoVt", "Disabled"),
    "sriov": ("enabled", "Sriov", "Disabled"),
    "hyperthreading": ("enabled", "ProcSMT", "Disabled"),
    "sub_numa": (None, "NumaMemoryDomainsPerSocket", "OneMemoryDomainPerSocket"),
    "turbo": ("enabled", "ProcAMDBoost", "Disabled"),
    "power_restore": ("last", "AutoPowerOn", "AlwaysPowerOn"),
    "boot_mode": ("uefi", "BootMode", "LegacyBios"),
    "tpm": ("enabled", "TpmVisibility", "Hidden"),
    "error_prompt": ("enabled", "PostF1Prompt", "Disabled"),
}
SR670 = {
    "virtualization": ("enabled", "Processors_IntelVirtualizationTechnology", "Disabled"),
    "sriov": ("enabled", "DevicesandIOPorts_SRIOV", "Disabled"),
    "memory_mode": ("independent", "Memory_MirrorMode", "Full"),
    "boot_mode": ("uefi", "BootModes_SystemBootMode", "LegacyMode"),
}
OTHERS = {
    "power_profile": "balanced", "power_restore": "on", "boot_mode": "legacy", "memory_mode": "mirror",
}  # fmt: skip


def find_other(name: str, present: str | None) -> str:
    """Another value of a neutral name."""
    return OTHERS.get(name) or ("disabled" if present != "disabled" else "enabled")


@pytest.mark.parametrize(
    ("tree", "vendor", "names"),
    [
        ("supermicro-x13-bios", "Supermicro", X13),
        ("ami-dgx-h100-bios", "NVIDIA", DGX),
        ("hpe-a42-bios", "HPE", A42),
        ("lenovo-power-restore", "Lenovo", SR670),
        ("ami-coded-bios", "ZTSYSTEMS", {"tpm": ("enabled", "TCG003", "Disable")}),
        ("bluefield-bios", "https://www.mellanox.com", {"iommu": ("enabled", "EnableSMMU", False)}),
    ],
)
def test_neutral_names_are_found_on_the_bios(
    serve: Serve, tree: str, vendor: str, names: dict[str, tuple[str | None, str, Any]]
) -> None:
    """What each name is on this machine: as it is now, the setting, and what another value of it is called there."""
    service = serve(tree, vendor)
    driver = BiosRedfishDriver()
    exported = driver.export(service.read(driver, {"bios": {"turbo": "enabled"}}))["bios"]
    assert {name: exported.get(name) for name in names} == {name: now for name, (now, _, _) in names.items()}
    as_it_is = {name: value for name, value in exported.items() if name in NEUTRAL_NAMES}
    planned = service.plan(driver, {"bios": as_it_is})
    assert (planned.problems, planned.actions) == ([], [])
    for name, (now, attribute, value) in names.items():
        planned = service.plan(driver, {"bios": {name: find_other(name, now)}})
        assert planned.problems == [], name
        assert find_change(planned.actions, attribute) == value


def test_the_maker_that_the_service_names_is_taken_where_smbios_names_none(serve: Serve) -> None:
    driver = BiosRedfishDriver()
    for tree, maker in (
        ("hpe-a42-bios", "hpe"),
        ("lenovo-power-restore", "lenovo"),
        ("ami-coded-bios", "generic"),
    ):
        assert serve(tree).read(driver, {"bios": {"turbo": "enabled"}}).vendor == maker


def test_a_service_that_links_a_bios_and_has_none_is_told_so(serve: Serve) -> None:
    (problem,) = serve("no-accounts").plan(BiosRedfishDriver(), {"bios": {"turbo": "enabled"}}).problems
    assert problem.path == "bios"
    assert "shows no BIOS settings" in problem.message


def find_change(actions: list[Action], attribute: str) -> Any:
    return next(action.detail.value for action in actions if action.detail.name == attribute)


def test_a_setting_that_the_bios_has_three_times_is_set_three_times(serve: Serve) -> None:
    planned = serve("supermicro-x13-bios", "Supermicro").plan(
        BiosRedfishDriver(), {"bios": {"tpm": "disabled"}}
    )
    assert {action.detail.name: action.detail.value for action in planned.actions} == {
        "SecurityDeviceSupport_005A": "Disable",
        "SecurityDeviceSupport_005B": "Disable",
        "SecurityDeviceSupport_0063": "Disable",
    }


def test_values_that_are_display_names_are_taken_and_names_of_the_registry_are_not(serve: Serve) -> None:
    service = serve("supermicro-x13-bios", "Supermicro")
    service.keeps = True
    driver = BiosRedfishDriver()
    planned = service.plan(driver, {"bios": {"vendor": {"CPUC6Report_3D22": "1"}}})
    (problem,) = planned.problems
    assert "Disable, Enable, Auto" in problem.hint
    planned = service.plan(driver, {"bios": {"vendor": {"CPUC6Report_3D22": "Enable"}}})
    assert planned.problems == []
    assert planned.actions[0].detail.value == "Enable"


@pytest.mark.parametrize(
    ("tree", "count", "secrets"),
    [
        ("supermicro-x13-bios", 22, ["Password_0250"]),
        ("bluefield-bios", 26, ["CurrentUefiPassword", "UefiPassword"]),
    ],
)
def test_passwords_are_no_settings_and_what_only_speaks_of_them_is_one(
    serve: Serve, tree: str, count: int, secrets: list[str]
) -> None:
    state = serve(tree).read(BiosRedfishDriver(), {"bios": {"tpm": "enabled"}})
    names = {setting.name for setting in state.settings}
    assert len(names) == count
    assert not names & set(secrets)
    if tree == "bluefield-bios":
        assert {"DefaultPasswordPolicy", "LegacyPasswordEnable"} <= names
        smmu = next(setting for setting in state.settings if setting.name == "EnableSMMU")
        assert (smmu.type, smmu.title, smmu.current) == ("boolean", "Enable SMMU", True)


def test_lenovos_tpm_is_told_and_cannot_be_switched(serve: Serve) -> None:
    service = serve("lenovo-power-restore", "Lenovo")
    planned = service.plan(BiosRedfishDriver(), {"bios": {"tpm": "enabled"}})
    assert (planned.problems, planned.actions) == ([], [])
    assert service.plan(BiosRedfishDriver(), {"bios": {"tpm": "disabled"}}).problems


def build_firmware(component: str, version: str, **more: Any) -> dict[str, Any]:
    package = {"package": "https://files.example/x.bin", "sha256": "0" * 64}
    return {
        "firmware": [{"component": component, "version": version, "method": "redfish", **package, **more}]
    }


def read_parts(service: TreeService) -> list[Installed]:
    found: list[Installed] = service.read(FirmwareRedfishDriver(), build_firmware("bios", "9")).installed
    return found


@pytest.mark.parametrize(
    ("tree", "bios", "bmc"),
    [
        ("dell-r750-firmware", ("1.8.2", "Installed-159-1.8.2__BIOS.Setup.1-1"),
         ("6.00.30.00", "Installed-25227-6.00.30.00__iDRAC.Embedded.1-1")),
        ("dgx-h100-firmware", ("01.01.03", "HostBIOS_0"), ("23.11.21", "HostBMC_0")),
        ("lenovo-sr670v2-firmware", ("22J-1.51", "UEFI"), ("42S-2.83", "BMC-Primary")),
        ("supermicro-x13-firmware", ("BIOS Date: 08/04/2023 Ver 1.4", "BIOS"), ("11.01.01", "BMC")),
        ("cisco-c240-m5", ("C240M5.4.1.3i.0.0713210713", "BIOS"), ("4.1(3d)", "CIMC")),
        ("hpe-gen10-plus-firmware", ("U46 v1.56 (11/29/2021)", "2"), ("2.55 Oct 01 2021", "1")),
    ],
)  # fmt: skip
def test_the_bios_and_the_bmc_are_not_what_stands_beside_them(
    serve: Serve, tree: str, bios: tuple[str, str], bmc: tuple[str, str]
) -> None:
    """No security chip, no image that does not run, no service module, no management engine, no board of GPUs."""
    parts = {part.component: part for part in read_parts(serve(tree)) if part.component in ("bios", "bmc")}
    assert (parts["bios"].version, parts["bios"].device) == bios
    assert (parts["bmc"].version, parts["bmc"].device) == bmc


@pytest.mark.parametrize(
    ("tree", "parts"),
    [
        (
            "dell-r750-firmware",
            [
                ("drive", "Installed-0-2.1.3__Disk.Bay.0:Enclosure.Internal.0-1", True),
                ("nic", "Installed-0-24.40.10.00__NIC.Slot.5-1", True),
                ("nic", "Installed-108089-21.80.16.95__NIC.Integrated.1-1-1", True),
            ],
        ),
        ("dgx-h100-firmware", []),
        (
            "lenovo-sr670v2-firmware",
            [
                ("nic", "Slot_15.Bundle", True),
                ("nic", "Slot_27.1", False),
                ("raid", "Slot_25.Bundle", True),
            ],
        ),
        ("supermicro-x13-firmware", [("nic", "NIC1", False), ("nic", "NIC10", True), ("nic", "NIC2", False)]),
        (
            "cisco-c240-m5",
            [
                ("drive", "HDD-model-KPM51VUG800G-serial-Y9B0A0000001", True),
                ("nic", "UCS_VIC_1387-slot-MLOM", True),
                ("nic", "X550-LOM-slot-L", True),
                ("nic", "XL710-slot-4", True),
                ("nic", "XL710-slot-6", True),
                ("raid", "UCSC-RAID-M5HD-slot-MRAID", True),
            ],
        ),
        ("hpe-gen10-plus-firmware", [("nic", "17", False), ("raid", "15", True), ("raid", "16", True)]),
    ],
)
def test_a_card_is_one_part_with_the_image_that_can_be_updated(
    serve: Serve, tree: str, parts: list[tuple[str, str, bool]]
) -> None:
    """(component, item, whether the service can update it). A backplane and a GPU are none."""
    found = [part for part in read_parts(serve(tree)) if part.component not in ("bios", "bmc")]
    assert sorted((part.component, part.device, bool(part.target)) for part in found) == parts


def test_an_item_that_cannot_be_read_takes_away_only_itself_and_is_named(serve: Serve) -> None:
    """One of nine answers with an error, one is listed and not there, one is no JSON at all."""
    service = serve("supermicro-x13-firmware")
    folder = "/redfish/v1/UpdateService/FirmwareInventory"
    service.fail(f"{folder}/NIC1", 500, "the sensor of this card does not answer")
    service.fail(f"{folder}/NIC2", 404)
    service.fail(f"{folder}/NIC10", 200)
    assert {part.component for part in read_parts(service)} == {"bios", "bmc"}
    planned = service.plan(FirmwareRedfishDriver(), build_firmware("bios", "1.4"))
    assert (planned.problems, planned.actions) == ([], [])
    told = {note.partition(": ")[0]: note for note in planned.notes if note.startswith(folder)}
    assert sorted(told) == [f"{folder}/NIC1", f"{folder}/NIC10", f"{folder}/NIC2"]
    assert "refused it (500): the sensor of this card does not answer" in told[f"{folder}/NIC1"]
    assert "does not have it" in told[f"{folder}/NIC2"]
    assert "makes no sense" in told[f"{folder}/NIC10"]


def test_an_account_that_cannot_be_read_is_named_and_others_are_planned(serve: Serve) -> None:
    service = serve("ilo5-account-without-role")
    service.find("/redfish/v1/AccountService/Accounts")["Members"].append(
        {"@odata.id": "/redfish/v1/AccountService/Accounts/7"}
    )
    service.fail("/redfish/v1/AccountService/Accounts/7", 403, "not for this account")
    planned = service.plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert (planned.problems, planned.actions) == ([], [])
    (note,) = [note for note in planned.notes if note.startswith("/redfish/v1/AccountService/Accounts/7: ")]
    assert note.endswith("refuses 'operator': not for this account")


@pytest.mark.parametrize("status", [403, 500])
def test_accounts_that_may_not_be_listed_take_away_only_themselves(serve: Serve, status: int) -> None:
    service, accounts = serve("ilo5-account-without-role"), "/redfish/v1/AccountService/Accounts"
    service.fail(accounts, status, "not for this account")
    (problem,) = service.plan(RedfishDriver(), {"oob": {"users": [build_user()]}}).problems
    assert (problem.path, problem.message) == ("oob.users", "this Redfish service shows no accounts")
    planned = service.plan(RedfishDriver(), {"oob": {"boot_device": "none"}})
    assert planned.problems == []
    assert any(note.startswith(f"{accounts}: ") for note in planned.notes)


@pytest.mark.parametrize(
    ("status", "said"), [(403, "not for this account"), (500, "(500)"), (404, "not have")]
)
def test_bios_settings_whose_changes_may_not_be_read_are_shown_and_not_changed(
    serve: Serve, status: int, said: str
) -> None:
    service, driver, bios = (
        serve("supermicro-x13-bios", "Supermicro"),
        BiosRedfishDriver(),
        {"bios": {"turbo": "enabled"}},
    )
    pending = service.find("/redfish/v1/Systems/1/Bios")["@Redfish.Settings"]["SettingsObject"]["@odata.id"]
    service.fail(pending, status, "not for this account")
    assert service.read(driver, bios).settings
    (problem,) = service.plan(driver, bios).problems
    assert problem.path == "bios"
    assert pending in problem.message
    assert said in problem.message


def test_a_card_that_the_service_cannot_update_is_a_problem(serve: Serve) -> None:
    service = serve("supermicro-x13-firmware")
    planned = service.plan(
        FirmwareRedfishDriver(), build_firmware("nic", "28.40.1000", select={"device": "NIC1"})
    )
    assert [problem.path for problem in planned.problems] == ["firmware[0]"]
    assert "cannot update NIC1" in planned.problems[0].message
    planned = service.plan(
        FirmwareRedfishDriver(), build_firmware("nic", "24.40.1000", select={"device": "NIC10"})
    )
    assert (planned.problems, len(planned.actions)) == ([], 1)


def test_a_version_that_the_service_spells_otherwise_is_there_already(serve: Serve) -> None:
    service = serve("supermicro-x13-firmware")
    planned = service.plan(FirmwareRedfishDriver(), build_firmware("bios", "1.4"))
    assert (planned.problems, planned.actions) == ([], [])
    service = serve("lenovo-sr670v2-firmware")
    planned = service.plan(FirmwareRedfishDriver(), build_firmware("bios", "U8E124K-1.60"))
    assert (planned.problems, len(planned.actions)) == ([], 1)


def test_an_update_service_that_is_linked_and_not_there_takes_no_firmware(serve: Serve) -> None:
    template = build_firmware("bmc", "9.9", unordered=True)
    (problem,) = serve("no-accounts").plan(FirmwareRedfishDriver(), template).problems
    assert "takes no firmware" in problem.message
