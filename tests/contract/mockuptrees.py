"""Redfish trees written for our tests in the shapes of DMTF's mockups (DMTF/Redfish-Publications on GitHub):
which resources there are, how they link to each other, which of the properties that came and went over the years they
have. Names, numbers and addresses are made up.
"""

from collections.abc import Callable
from typing import Any

Tree = dict[str, dict[str, Any]]

ROOT = "/redfish/v1"
ACCOUNTS = f"{ROOT}/AccountService/Accounts"
INVENTORY = f"{ROOT}/UpdateService/FirmwareInventory"
UUID = "8a5c6e1e-2f0b-4c53-9d51-4f1f0f6f7b01"
BOOT_TARGETS = ["None", "Pxe", "Cd", "Usb", "Hdd", "BiosSetup", "UefiTarget"]
RESETS = ["ForceRestart", "GracefulRestart"]


def link(path: str) -> dict[str, str]:
    return {"@odata.id": path}


class Builder:
    """Resources are added one by one; a collection is of the resources right below it."""

    def __init__(self) -> None:
        self.tree: Tree = {}

    def add(self, path: str, name: str, **properties: Any) -> None:
        self.tree[path] = {"@odata.id": path, "Id": path.rpartition("/")[2], "Name": name, **properties}

    def collect(self, path: str) -> None:
        inside = [link(other) for other in self.tree if other.rpartition("/")[0] == path]
        self.add(path, "Collection", **{"Members": inside, "Members@odata.count": len(inside)})

    def finish(self, **services: str) -> Tree:
        """The root, with links to these; sessions and the collections of systems and managers always."""
        self.collect(f"{ROOT}/Systems")
        self.collect(f"{ROOT}/Managers")
        self.add(f"{ROOT}/SessionService/Sessions", "Sessions", Members=[])
        self.add(
            f"{ROOT}/SessionService", "Session Service", Sessions=link(f"{ROOT}/SessionService/Sessions")
        )
        links = {name: link(f"{ROOT}/{path}") for name, path in services.items()}
        self.add(
            ROOT,
            "Root Service",
            RedfishVersion="1.20.0",
            Systems=link(f"{ROOT}/Systems"),
            Managers=link(f"{ROOT}/Managers"),
            SessionService=link(f"{ROOT}/SessionService"),
            Links={"Sessions": link(f"{ROOT}/SessionService/Sessions")},
            **links,
        )
        return self.tree

    def add_accounts(self, *names: str) -> None:
        for number, name in enumerate(names, 1):
            self.add(
                f"{ACCOUNTS}/{number}",
                "User Account",
                UserName=name,
                RoleId="Administrator",
                Enabled=True,
                Locked=False,
                Password=None,
            )
        self.collect(ACCOUNTS)
        for role in ("Administrator", "Operator", "ReadOnly"):
            self.add(f"{ROOT}/AccountService/Roles/{role}", "User Role", RoleId=role, IsPredefined=True)
        self.collect(f"{ROOT}/AccountService/Roles")
        self.add(
            f"{ROOT}/AccountService",
            "Account Service",
            ServiceEnabled=True,
            MinPasswordLength=8,
            AccountLockoutThreshold=5,
            Accounts=link(ACCOUNTS),
            Roles=link(f"{ROOT}/AccountService/Roles"),
        )

    def add_system(self, name: str, manager: str, **properties: Any) -> str:
        path = f"{ROOT}/Systems/{name}"
        usual = {
            "SystemType": "Physical",
            "Manufacturer": "Contoso",
            "Model": "3500",
            "SerialNumber": name,
            "PowerState": "On",
            "BiosVersion": "P79 v1.45 (12/06/2017)",
            "Links": {"ManagedBy": [link(f"{ROOT}/Managers/{manager}")]},
        }
        self.add(path, "Server", **(usual | properties))
        return path

    def add_bios(self, system: str) -> None:
        attributes = {
            "AdminPhone": "",
            "BootMode": "Uefi",
            "ProcTurboMode": "Enabled",
            "UsbControl": "UsbEnabled",
        }
        settings = {
            "@odata.type": "#Settings.v1_4_0.Settings",
            "SettingsObject": link(f"{system}/Bios/Settings"),
        }
        self.tree[system]["Bios"] = link(f"{system}/Bios")
        self.add(
            f"{system}/Bios",
            "BIOS Configuration",
            AttributeRegistry="BiosAttributeRegistryP79.v1_0_0",
            Attributes=attributes,
            **{"@Redfish.Settings": settings},
        )
        self.add(f"{system}/Bios/Settings", "BIOS Pending", Attributes=dict(attributes))

    def add_manager(self, name: str, *, resets: bool = True, **properties: Any) -> str:
        path = f"{ROOT}/Managers/{name}"
        target = {"target": f"{path}/Actions/Manager.Reset", "ResetType@Redfish.AllowableValues": RESETS}
        usual = {
            "ManagerType": "BMC",
            "FirmwareVersion": "1.45",
            "EthernetInterfaces": link(f"{path}/EthernetInterfaces"),
            "Actions": {"#Manager.Reset": target} if resets else {},
        }
        self.add(path, "Manager", **(usual | properties))
        return path

    def add_port(self, manager: str, name: str, **properties: Any) -> str:
        path = f"{manager}/EthernetInterfaces/{name}"
        address = {"Address": "192.168.0.10", "SubnetMask": "255.255.252.0", "Gateway": "192.168.0.1"}
        self.add(
            path,
            "Manager Ethernet Interface",
            **{
                "InterfaceEnabled": True,
                "MACAddress": "02:00:5E:00:00:01",
                "IPv4Addresses": [{**address, "AddressOrigin": "DHCP"}],
                **properties,
            },
        )
        self.collect(f"{manager}/EthernetInterfaces")
        return path

    def add_pending(self, path: str) -> None:
        """The interface is changed at a settings object of its own."""
        own = self.tree[path]
        self.add(
            f"{path}/SD",
            "Pending",
            **{key: own[key] for key in own if key not in ("@odata.id", "Id", "Name")},
        )
        own["@Redfish.Settings"] = {"SettingsObject": link(f"{path}/SD")}


def build_boot(**more: Any) -> dict[str, Any]:
    return {
        "BootSourceOverrideEnabled": "Once",
        "BootSourceOverrideTarget": "Pxe",
        "BootSourceOverrideTarget@Redfish.AllowableValues": BOOT_TARGETS,
        "BootSourceOverrideMode": "UEFI",
        **more,
    }


def build_rackmount() -> Tree:
    """One server with nearly all that there is: two interfaces, one of them to the host, boot order, update service."""
    made = Builder()
    made.add_accounts("Administrator", "employee457")
    system = made.add_system("437XR1", "BMC", UUID=UUID, PowerRestorePolicy="AlwaysOff", Boot=build_boot())
    made.add_bios(system)
    for number, title in ((1, "UEFI: Hard Disk"), (2, "UEFI: PXE")):
        name = f"Boot000{number}"
        made.add(f"{system}/BootOptions/{name}", title, BootOptionReference=name, DisplayName=title)
    made.collect(f"{system}/BootOptions")
    made.tree[system]["Boot"] |= {
        "BootOrder": ["Boot0001", "Boot0002"],
        "BootOptions": link(f"{system}/BootOptions"),
    }
    manager = made.add_manager("BMC")
    forms = {"DHCPv4": {"DHCPEnabled": True}, "IPv4StaticAddresses": []}
    made.add_port(manager, "eth0", VLAN={"VLANEnable": True, "VLANId": 101}, **forms)
    made.add_port(
        manager,
        "ToHost",
        IPv4Addresses=[{"Address": "192.168.1.1", "SubnetMask": "255.255.255.0", "AddressOrigin": "Static"}],
        Links={"HostInterface": link(f"{manager}/HostInterfaces/1")},
    )
    parts = (
        ("BIOS", "P79 v1.45", system),
        ("BMC", "1.45", manager),
        ("SS", "2.50", f"{system}/SimpleStorage/1"),
    )
    for name, version, related in parts:
        made.add(
            f"{INVENTORY}/{name}", f"Contoso {name} Firmware", Version=version, RelatedItem=[link(related)]
        )
    made.collect(INVENTORY)
    target = f"{ROOT}/UpdateService/Actions/SimpleUpdate"
    made.add(
        f"{ROOT}/UpdateService",
        "Update Service",
        ServiceEnabled=True,
        HttpPushUri="/FWUpdate",
        FirmwareInventory=link(INVENTORY),
        Actions={"#UpdateService.SimpleUpdate": {"target": target}},
    )
    registry = f"{ROOT}/Registries/Base.1.8"
    made.add(registry, "Base", Location=[{"Language": "en", "Uri": "/registries/Base.1.8.json"}])
    made.collect(f"{ROOT}/Registries")
    return made.finish(
        AccountService="AccountService", UpdateService="UpdateService", Registries="Registries"
    )


def build_bladed() -> Tree:
    """An enclosure: a manager of its own, four blades with one each, told apart by serial number alone; no BIOS, no
    update service, no reset of a manager, the older form of addresses."""
    made = Builder()
    made.add_accounts("Administrator")
    boot = {**build_boot(BootSourceOverrideEnabled="Disabled", BootSourceOverrideTarget="None")}
    del boot["BootSourceOverrideMode"]
    for number in range(4):
        made.add_system(f"529QB{number}", f"Blade{number}BMC", Boot=dict(boot), Model="SX1000")
        made.add_port(made.add_manager(f"Blade{number}BMC", resets=False), "1")
    made.add_port(made.add_manager("MultiBladeBMC", resets=False, ManagerType="EnclosureManager"), "1")
    return made.finish(AccountService="AccountService")


def build_smartnic() -> Tree:
    """A server with a card that is a system of its own, without BIOS and boot; the interface has a settings object."""
    made = Builder()
    made.add_accounts("Administrator", "employee457")
    made.add_bios(made.add_system("437XR1", "BMC", UUID=UUID, Boot=build_boot()))
    made.add_system("637XR7", "BMC", SystemType="DPU", UUID="2eb1a9f8-74f7-4f22-b085-b833dcf37301")
    del made.tree[f"{ROOT}/Systems/637XR7"]["BiosVersion"]
    manager = made.add_manager("BMC")
    made.add_pending(made.add_port(manager, "Dedicated", VLAN={"VLANEnable": True, "VLANId": 101}))
    return made.finish(AccountService="AccountService")


def build_localstorage() -> Tree:
    """A server whose storage the service shows: drives and volumes are no firmware."""
    made = Builder()
    made.add_accounts("Administrator")
    system = made.add_system("437XR1", "BMC", UUID=UUID, Boot=build_boot())
    made.add_bios(system)
    for drive in ("35D38F11ACEF7BD3", "3D58ECBC375FD9F2"):
        made.add(f"{system}/Storage/1/Drives/{drive}", "Drive", Revision="S20A7", CapacityBytes=899527000000)
    made.add(f"{system}/Storage/1", "Local Storage Controller", Drives=[])
    made.collect(f"{system}/Storage")
    made.tree[system]["Storage"] = link(f"{system}/Storage")
    made.add_pending(
        made.add_port(made.add_manager("BMC"), "Dedicated", VLAN={"VLANEnable": False, "VLANId": 0})
    )
    return made.finish(AccountService="AccountService")


TREES: dict[str, Callable[[], Tree]] = {
    "rackmount": build_rackmount,
    "bladed": build_bladed,
    "smartnic": build_smartnic,
    "localstorage": build_localstorage,
}


def remove_link(value: Any, path: str) -> Any:
    """The same without what links to `path`."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not _leads_to(item, path)}
        return {key: remove_link(item, path) for key, item in kept.items()}
    if isinstance(value, list):
        return [remove_link(item, path) for item in value if not _leads_to(item, path)]
    return value


def _leads_to(value: Any, path: str) -> bool:
    return isinstance(value, dict) and value.get("@odata.id") == path
