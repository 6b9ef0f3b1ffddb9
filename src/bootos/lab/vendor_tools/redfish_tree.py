"""What a lab machine's Redfish service has to begin with: resources by their paths, shaped as DMTF's mockups are. Pure.

What differs between makers is in `redfish_spec`.
"""

from typing import Any

from bootos.lab.vendor_tools.redfish_schema import build_type
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
SHORTEST_PASSWORD = 8
REGISTRY = f"{REGISTRIES}/BiosAttributeRegistry/registry"
CD = f"{MANAGER}/VirtualMedia/CD1"
BOOT_SWITCHES = ("Disabled", "Once", "Continuous")
BOOT_TARGETS = ("None", "Pxe", "Cd", "Hdd", "BiosSetup")
RESET_TYPES = ("On", "ForceOff", "ForceRestart", "GracefulShutdown")
POWER_POLICIES = ("AlwaysOn", "AlwaysOff", "LastState")
# The privileges of the roles that every service has (DSP0266, 13.4.2)
_SELF = ("Login", "ConfigureSelf")
_ROLES = {
    "Administrator": (*_SELF, "ConfigureManager", "ConfigureUsers", "ConfigureComponents"),
    "Operator": (*_SELF, "ConfigureComponents"),
    "ReadOnly": _SELF,
}
# What DHCP gives the BMC
ADDRESS = {
    "Address": "10.0.9.99",
    "SubnetMask": "255.255.255.0",
    "Gateway": "10.0.9.1",
    "AddressOrigin": "DHCP",
}

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

    def add(path: str, schema: str, name: str, **properties: Any) -> None:
        tree[path] = {
            "@odata.id": path,
            "@odata.type": build_type(schema),
            "Id": path.rstrip("/").rpartition("/")[2],
            "Name": name,
            **properties,
        }

    def collect(path: str, schema: str, name: str) -> None:
        inside = [{"@odata.id": other} for other in tree if other.rpartition("/")[0] == path]
        tree[path] = {
            "@odata.id": path,
            "@odata.type": build_type(f"{schema}Collection"),
            "Name": name,
            "Members": inside,
            "Members@odata.count": len(inside),
        }

    _add_accounts(spec, tree)
    collect(ACCOUNTS, "ManagerAccount", "Accounts Collection")
    for role, privileges in {**_ROLES, **({"None": ()} if spec.slots else {})}.items():
        add(
            f"{ROLES}/{role}",
            "Role",
            "User Role",
            RoleId=role,
            IsPredefined=True,
            AssignedPrivileges=list(privileges),
        )
    collect(ROLES, "Role", "Roles Collection")
    _add_system(spec, add)
    collect(f"{ROOT}Systems", "ComputerSystem", "Systems Collection")
    for reference, title in (
        ("Boot0001", "Hard Disk"),
        ("Boot0002", "PXE Device 1: Embedded NIC 1"),
        ("Boot0003", "UEFI Shell"),
    ):
        where = f"{SYSTEM}/BootOptions/{reference}"
        add(where, "BootOption", title, BootOptionReference=reference, DisplayName=title)
    collect(f"{SYSTEM}/BootOptions", "BootOption", "Boot Options Collection")
    _add_bios(spec, add)
    collect(REGISTRIES, "MessageRegistryFile", "Registry File Collection")
    _add_manager(spec, add)
    collect(f"{ROOT}Managers", "Manager", "Managers Collection")
    collect(f"{MANAGER}/EthernetInterfaces", "EthernetInterface", "Ethernet Network Interface Collection")
    collect(f"{MANAGER}/HostInterfaces", "HostInterface", "Host Interface Collection")
    if spec.virtual_cd:
        _add_virtual_cd(add)
        collect(f"{MANAGER}/VirtualMedia", "VirtualMedia", "Virtual Media Collection")
        tree[MANAGER]["VirtualMedia"] = {"@odata.id": f"{MANAGER}/VirtualMedia"}
    _add_firmware(spec, add)
    collect(INVENTORY, "SoftwareInventory", "Firmware Inventory Collection")
    collect(SESSIONS, "Session", "Session Collection")
    collect(TASKS, "Task", "Task Collection")
    _add_services(spec, add)
    return tree


def build_account(
    path: str, *, user: str = "", role: str = "ReadOnly", enabled: bool = False
) -> dict[str, Any]:
    """An account; without a user one that nobody has yet, or a free slot."""
    return {
        "@odata.id": path,
        "@odata.type": build_type("ManagerAccount"),
        "Id": path.rpartition("/")[2],
        "Name": "User Account",
        "UserName": user,
        "Password": None,
        "PasswordChangeRequired": False,
        "RoleId": role,
        "Links": {"Role": {"@odata.id": f"{ROLES}/{role}"}},
        "AccountTypes": ["Redfish"],
        "Enabled": enabled,
        "Locked": False,
    }


def count_members(tree: dict[str, Any], collection: str) -> None:
    """The members of a collection are the resources right below it."""
    inside = [{"@odata.id": path} for path in tree if path.rpartition("/")[0] == collection]
    tree[collection].update({"Members": inside, "Members@odata.count": len(inside)})


def _add_accounts(spec: RedfishSpec, tree: dict[str, dict[str, Any]]) -> None:
    for number in range(1, max(spec.slots, 1) + 1):
        path = f"{ACCOUNTS}/{number}"
        if number == spec.first_account:
            tree[path] = build_account(path, user=spec.user, role="Administrator", enabled=True)
        else:
            tree[path] = build_account(path, role="None")


def _add_firmware(spec: RedfishSpec, add: Any) -> None:
    related = {"BIOS": BIOS, "BMC": MANAGER}
    for part in spec.components:
        links = [{"@odata.id": related[part.id]}] if part.id in related else []
        add(
            f"{INVENTORY}/{part.id}",
            "SoftwareInventory",
            part.name,
            Version=part.version,
            Updateable=True,
            RelatedItem=links,
            **{"RelatedItem@odata.count": len(links)},
        )


def _add_system(spec: RedfishSpec, add: Any) -> None:
    version = next((part.version for part in spec.components if part.id == "BIOS"), "")
    add(
        SYSTEM,
        "ComputerSystem",
        "System",
        SystemType="Physical",
        Manufacturer=spec.vendor,
        Model=spec.product,
        SerialNumber=spec.serial,
        UUID=spec.uuid,
        AssetTag="",
        PowerState="On",
        BiosVersion=version,
        PowerRestorePolicy="LastState",
        **{"PowerRestorePolicy@Redfish.AllowableValues": list(POWER_POLICIES)},
        Boot={
            "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideTarget": "None",
            "BootSourceOverrideEnabled@Redfish.AllowableValues": list(BOOT_SWITCHES),
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(BOOT_TARGETS),
            "BootOrder": ["Boot0001", "Boot0002", "Boot0003"],
            "BootOptions": {"@odata.id": f"{SYSTEM}/BootOptions"},
        },
        Bios={"@odata.id": BIOS},
        Links={"ManagedBy": [{"@odata.id": MANAGER}], "ManagedBy@odata.count": 1},
        Actions={
            "#ComputerSystem.Reset": {
                "target": f"{SYSTEM}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(RESET_TYPES),
            }
        },
    )


def _add_bios(spec: RedfishSpec, add: Any) -> None:
    attributes = {attribute.name: attribute.value for attribute in spec.bios}
    registry = "BiosAttributeRegistry.v1_0_0"
    settings = {"@odata.type": build_type("Settings"), "SettingsObject": {"@odata.id": BIOS_PENDING}}
    settings["SupportedApplyTimes"] = ["OnReset"]
    add(
        BIOS,
        "Bios",
        "BIOS Configuration",
        AttributeRegistry=registry,
        Attributes=attributes,
        **{"@Redfish.Settings": settings},
    )
    add(
        BIOS_PENDING, "Bios", "BIOS Pending Settings", AttributeRegistry=registry, Attributes=dict(attributes)
    )
    add(
        REGISTRY.rpartition("/")[0],
        "MessageRegistryFile",
        "BIOS Attribute Registry",
        Registry="BiosAttributeRegistry.1.0.0",
        Location=[{"Language": "en", "Uri": REGISTRY}],
        Languages=["en"],
    )
    entries = {
        "Attributes": [_build_entry(attribute) for attribute in spec.bios],
        "Dependencies": [_build_dependency(attribute) for attribute in spec.bios if attribute.locked_by],
    }
    add(
        REGISTRY,
        "AttributeRegistry",
        "BIOS Attribute Registry",
        Language="en",
        OwningEntity=spec.vendor,
        RegistryVersion="1.0.0",
        RegistryEntries=entries,
    )


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
        "Manager",
        ManagerType="BMC",
        FirmwareVersion=version,
        Links={"ManagerForServers": [{"@odata.id": SYSTEM}], "ManagerForServers@odata.count": 1},
        EthernetInterfaces={"@odata.id": f"{MANAGER}/EthernetInterfaces"},
        HostInterfaces={"@odata.id": f"{MANAGER}/HostInterfaces"},
        Actions={
            "#Manager.Reset": {
                "target": f"{MANAGER}/Actions/Manager.Reset",
                "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
            }
        },
    )
    add(
        f"{MANAGER}/EthernetInterfaces/eth0",
        "EthernetInterface",
        "Manager Ethernet Interface",
        InterfaceEnabled=True,
        LinkStatus="LinkUp",
        MACAddress="52:54:00:B0:0C:01",
        VLAN={"VLANEnable": False, "VLANId": 0},
        DHCPv4={"DHCPEnabled": True},
        IPv4Addresses=[{**ADDRESS, "Address": spec.address}],
        IPv4StaticAddresses=[],
    )
    add(
        f"{MANAGER}/EthernetInterfaces/ToHost",
        "EthernetInterface",
        "Manager Host Interface",
        InterfaceEnabled=True,
        MACAddress="52:54:00:B0:0C:02",
        IPv4Addresses=[
            {
                "Address": "169.254.0.17",
                "SubnetMask": "255.255.255.0",
                "Gateway": None,
                "AddressOrigin": "Static",
            }
        ],
        Links={"HostInterface": {"@odata.id": f"{MANAGER}/HostInterfaces/1"}},
    )
    add(
        f"{MANAGER}/HostInterfaces/1",
        "HostInterface",
        "Host Interface",
        HostInterfaceType="NetworkHostInterface",
        InterfaceEnabled=True,
        ManagerEthernetInterface={"@odata.id": f"{MANAGER}/EthernetInterfaces/ToHost"},
    )


def _add_virtual_cd(add: Any) -> None:
    actions = {
        f"#VirtualMedia.{name}": {"target": f"{CD}/Actions/VirtualMedia.{name}"}
        for name in ("InsertMedia", "EjectMedia")
    }
    add(
        CD,
        "VirtualMedia",
        "Virtual CD",
        MediaTypes=["CD", "DVD"],
        WriteProtected=True,
        TransferMethod="Upload",
        **EMPTY_DRIVE,
        Actions=actions,
    )


def _add_services(spec: RedfishSpec, add: Any) -> None:
    def link(path: str) -> dict[str, str]:
        return {"@odata.id": path}

    add(
        f"{ROOT}SessionService",
        "SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=600,
        Sessions=link(SESSIONS),
    )
    add(
        f"{ROOT}AccountService",
        "AccountService",
        "Account Service",
        ServiceEnabled=True,
        HTTPBasicAuth="Enabled",
        MinPasswordLength=SHORTEST_PASSWORD,
        Accounts=link(ACCOUNTS),
        Roles=link(ROLES),
    )
    add(f"{ROOT}TaskService", "TaskService", "Task Service", ServiceEnabled=True, Tasks=link(TASKS))
    add(
        UPDATE,
        "UpdateService",
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
        "ServiceRoot",
        "Root Service",
        RedfishVersion="1.17.0",
        UUID=spec.uuid,
        Vendor=spec.vendor,
        Product=spec.product,
        ProtocolFeaturesSupported={
            "ExcerptQuery": False,
            "FilterQuery": False,
            "OnlyMemberQuery": False,
            "SelectQuery": False,
        },
        Systems=link(f"{ROOT}Systems"),
        Managers=link(f"{ROOT}Managers"),
        SessionService=link(f"{ROOT}SessionService"),
        AccountService=link(f"{ROOT}AccountService"),
        UpdateService=link(UPDATE),
        Tasks=link(f"{ROOT}TaskService"),
        Registries=link(REGISTRIES),
        Links={"Sessions": link(SESSIONS)},
    )
