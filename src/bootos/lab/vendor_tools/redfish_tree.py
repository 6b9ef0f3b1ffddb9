"""What a lab machine's Redfish service has to begin with: resources by their paths, shaped as DMTF's mockups are. Pure.

What differs between makers is in `redfish_spec`.
"""

from typing import Any

from bootos.lab.vendor_tools.redfish_spec import BiosAttribute, RedfishSpec

ROOT = "/redfish/v1/"
SYSTEM = f"{ROOT}Systems/1"
MANAGER = f"{ROOT}Managers/BMC"
ACCOUNTS = f"{ROOT}AccountService/Accounts"
ROLES = f"{ROOT}AccountService/Roles"
SESSIONS = f"{ROOT}SessionService/Sessions"
BIOS = f"{SYSTEM}/Bios"
BIOS_PENDING = f"{SYSTEM}/Bios/Settings"
UPDATE = f"{ROOT}UpdateService"
INVENTORY = f"{UPDATE}/FirmwareInventory"
TASKS = f"{ROOT}TaskService/Tasks"
REGISTRIES = f"{ROOT}Registries"
CD = f"{MANAGER}/VirtualMedia/CD1"
BOOT_TARGETS = ("None", "Pxe", "Cd", "Hdd", "BiosSetup")
RESET_TYPES = ("On", "ForceOff", "ForceRestart", "GracefulShutdown")

EMPTY_DRIVE: dict[str, Any] = {
    "Image": None,
    "ImageName": None,
    "Inserted": False,
    "ConnectedVia": "NotConnected",
    "TransferProtocolType": None,
}


def build_tree(spec: RedfishSpec) -> dict[str, dict[str, Any]]:
    """All resources by path."""
    tree: dict[str, dict[str, Any]] = {}

    def add(path: str, name: str, **properties: Any) -> None:
        tree[path] = {
            "@odata.id": path,
            "Id": path.rstrip("/").rpartition("/")[2],
            "Name": name,
            **properties,
        }

    def collect(path: str, name: str) -> None:
        inside = [other for other in tree if other.rpartition("/")[0] == path]
        add(path, name, Members=[{"@odata.id": other} for other in inside])
        tree[path]["Members@odata.count"] = len(inside)

    _add_accounts(spec, add)
    collect(ACCOUNTS, "Accounts Collection")
    for role in ("Administrator", "Operator", "ReadOnly", *(("None",) if spec.slots else ())):
        add(f"{ROLES}/{role}", "User Role", RoleId=role, IsPredefined=True)
    collect(ROLES, "Roles Collection")
    _add_system(spec, add)
    for reference, title in (
        ("Boot0001", "Hard Disk"),
        ("Boot0002", "PXE Device 1: Embedded NIC 1"),
        ("Boot0003", "UEFI Shell"),
    ):
        add(f"{SYSTEM}/BootOptions/{reference}", title, BootOptionReference=reference, DisplayName=title)
    collect(f"{SYSTEM}/BootOptions", "Boot Options Collection")
    _add_bios(spec, add)
    _add_manager(spec, add)
    collect(f"{MANAGER}/EthernetInterfaces", "Ethernet Network Interface Collection")
    if spec.virtual_cd:
        _add_virtual_cd(add)
        collect(f"{MANAGER}/VirtualMedia", "Virtual Media Collection")
        tree[MANAGER]["VirtualMedia"] = {"@odata.id": f"{MANAGER}/VirtualMedia"}
    for part in spec.components:
        lab = {"Lab": {"AppliesOnReset": part.on_reset}}
        add(f"{INVENTORY}/{part.id}", part.name, Version=part.version, Updateable=True, Oem=lab)
    collect(INVENTORY, "Firmware Inventory Collection")
    _add_services(spec, add)
    return tree


def _add_accounts(spec: RedfishSpec, add: Any) -> None:
    for number in range(1, max(spec.slots, 1) + 1):
        first = number == spec.first_account
        add(
            f"{ACCOUNTS}/{number}",
            "User Account",
            UserName=spec.user if first else "",
            Password=None,
            RoleId="Administrator" if first else "None",
            Enabled=first,
            Locked=False,
        )


def _add_system(spec: RedfishSpec, add: Any) -> None:
    version = next((part.version for part in spec.components if part.id == "BIOS"), "")
    add(
        SYSTEM,
        "System",
        SystemType="Physical",
        Manufacturer=spec.vendor,
        Model=spec.product,
        SerialNumber=spec.serial,
        UUID=spec.uuid,
        PowerState="On",
        BiosVersion=version,
        PowerRestorePolicy="LastState",
        Boot={
            "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideTarget": "None",
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(BOOT_TARGETS),
            "BootOrder": ["Boot0001", "Boot0002", "Boot0003"],
            "BootOptions": {"@odata.id": f"{SYSTEM}/BootOptions"},
        },
        Bios={"@odata.id": BIOS},
        Links={"ManagedBy": [{"@odata.id": MANAGER}]},
        Actions={
            "#ComputerSystem.Reset": {
                "target": f"{SYSTEM}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(RESET_TYPES),
            }
        },
    )


def _add_bios(spec: RedfishSpec, add: Any) -> None:
    attributes = {attribute.name: attribute.value for attribute in spec.bios}
    registry = "BiosAttributeRegistry"
    settings = {"@odata.type": "#Settings.v1_3_5.Settings", "SettingsObject": {"@odata.id": BIOS_PENDING}}
    settings["SupportedApplyTimes"] = ["OnReset"]
    add(
        BIOS,
        "BIOS Configuration",
        AttributeRegistry=registry,
        Attributes=attributes,
        **{"@Redfish.Settings": settings},
    )
    add(BIOS_PENDING, "BIOS Pending Settings", AttributeRegistry=registry, Attributes=dict(attributes))
    where = f"{REGISTRIES}/{registry}"
    location = [{"Language": "en", "Uri": f"{where}/registry"}]
    add(where, "BIOS Attribute Registry", Registry=registry, Location=location, Languages=["en"])
    entries = {
        "Attributes": [_build_entry(attribute) for attribute in spec.bios],
        "Dependencies": [_build_dependency(attribute) for attribute in spec.bios if attribute.locked_by],
    }
    add(f"{where}/registry", "BIOS Attribute Registry", Language="en", RegistryEntries=entries)
    members = [{"@odata.id": where}]
    add(REGISTRIES, "Registry File Collection", **{"Members": members, "Members@odata.count": 1})


def _build_entry(attribute: BiosAttribute) -> dict[str, Any]:
    kind = "Enumeration" if attribute.values else "Integer" if isinstance(attribute.value, int) else "String"
    entry: dict[str, Any] = {
        "AttributeName": attribute.name,
        "DisplayName": attribute.title or attribute.name,
        "Type": kind,
        "ReadOnly": attribute.read_only,
        "ResetRequired": True,
        "DefaultValue": attribute.value,
    }
    if attribute.values:
        entry["Value"] = [{"ValueName": value, "ValueDisplayName": value} for value in attribute.values]
    return entry


def _build_dependency(attribute: BiosAttribute) -> dict[str, Any]:
    assert attribute.locked_by is not None
    other, value = attribute.locked_by
    condition = {"MapFromAttribute": other, "MapFromProperty": "CurrentValue", "MapFromCondition": "EQU"}
    condition["MapFromValue"] = value
    dependency = {"MapFrom": [condition], "MapToAttribute": attribute.name, "MapToProperty": "ReadOnly"}
    return {"DependencyFor": attribute.name, "Type": "Map", "Dependency": {**dependency, "MapToValue": True}}


def _add_manager(spec: RedfishSpec, add: Any) -> None:
    version = next((part.version for part in spec.components if part.id == "BMC"), "")
    add(
        MANAGER,
        "Manager",
        ManagerType="BMC",
        FirmwareVersion=version,
        Links={"ManagerForServers": [{"@odata.id": SYSTEM}]},
        EthernetInterfaces={"@odata.id": f"{MANAGER}/EthernetInterfaces"},
        Actions={
            "#Manager.Reset": {
                "target": f"{MANAGER}/Actions/Manager.Reset",
                "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
            }
        },
    )
    lease = {
        "Address": spec.address,
        "SubnetMask": "255.255.255.0",
        "Gateway": "10.0.9.1",
        "AddressOrigin": "DHCP",
    }
    add(
        f"{MANAGER}/EthernetInterfaces/eth0",
        "Manager Ethernet Interface",
        InterfaceEnabled=True,
        LinkStatus="LinkUp",
        MACAddress="52:54:00:B0:0C:01",
        VLAN={"VLANEnable": False, "VLANId": 0},
        DHCPv4={"DHCPEnabled": True},
        IPv4Addresses=[lease],
        IPv4StaticAddresses=[],
    )
    add(
        f"{MANAGER}/EthernetInterfaces/ToHost",
        "Manager Host Interface",
        InterfaceEnabled=True,
        MACAddress="52:54:00:B0:0C:02",
        IPv4Addresses=[{"Address": "169.254.0.17", "SubnetMask": "255.255.255.0", "AddressOrigin": "Static"}],
        Links={"HostInterface": {"@odata.id": f"{MANAGER}/HostInterfaces/1"}},
    )


def _add_virtual_cd(add: Any) -> None:
    actions = {
        f"#VirtualMedia.{name}": {"target": f"{CD}/Actions/VirtualMedia.{name}"}
        for name in ("InsertMedia", "EjectMedia")
    }
    add(
        CD,
        "Virtual CD",
        **{"@odata.type": "#VirtualMedia.v1_3_0.VirtualMedia"},
        MediaTypes=["CD", "DVD"],
        WriteProtected=True,
        TransferMethod="Upload",
        **EMPTY_DRIVE,
        Actions=actions,
    )


def _add_services(spec: RedfishSpec, add: Any) -> None:
    def link(path: str) -> dict[str, str]:
        return {"@odata.id": path}

    add(f"{ROOT}Systems", "Systems Collection", Members=[link(SYSTEM)])
    add(f"{ROOT}Managers", "Managers Collection", Members=[link(MANAGER)])
    add(SESSIONS, "Session Collection", Members=[])
    add(
        f"{ROOT}SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=600,
        Sessions=link(SESSIONS),
    )
    add(
        f"{ROOT}AccountService",
        "Account Service",
        MinPasswordLength=8,
        AccountLockoutThreshold=5,
        Accounts=link(ACCOUNTS),
        Roles=link(ROLES),
    )
    add(TASKS, "Task Collection", Members=[])
    add(f"{ROOT}TaskService", "Task Service", Tasks=link(TASKS))
    add(
        UPDATE,
        "Update Service",
        ServiceEnabled=True,
        MultipartHttpPushUri=f"{UPDATE}/push",
        FirmwareInventory=link(INVENTORY),
        Actions={
            "#UpdateService.SimpleUpdate": {
                "target": f"{UPDATE}/Actions/UpdateService.SimpleUpdate",
                "TransferProtocol@Redfish.AllowableValues": ["HTTP", "HTTPS"],
            }
        },
    )
    add(
        ROOT,
        "Root Service",
        RedfishVersion="1.17.0",
        UUID=spec.uuid,
        Systems=link(f"{ROOT}Systems"),
        Managers=link(f"{ROOT}Managers"),
        SessionService=link(f"{ROOT}SessionService"),
        AccountService=link(f"{ROOT}AccountService"),
        UpdateService=link(UPDATE),
        Tasks=link(f"{ROOT}TaskService"),
        Registries=link(REGISTRIES),
        Links={"Sessions": link(SESSIONS)},
    )
