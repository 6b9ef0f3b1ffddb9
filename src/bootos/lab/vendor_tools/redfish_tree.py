"""What a lab machine's Redfish service has to begin with: resources by their paths, shaped as DMTF's mockups are. Pure.

What differs between makers is in `redfish_spec`.
"""

from typing import Any

from bootos.lab.vendor_tools.redfish_hardware import (
    add_bios,
    add_firmware,
    add_manager,
    add_system,
    add_virtual_cd,
)
from bootos.lab.vendor_tools.redfish_path import (
    ACCOUNTS,
    INVENTORY,
    MANAGER,
    REGISTRIES,
    ROLES,
    ROOT,
    SESSIONS,
    SHORTEST_PASSWORD,
    SYSTEM,
    TASKS,
    UPDATE,
)
from bootos.lab.vendor_tools.redfish_schema import build_type
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec

# The privileges of the roles that every service has (DSP0266, 13.4.2)
_SELF = ("Login", "ConfigureSelf")
_ROLES = {
    "Administrator": (*_SELF, "ConfigureManager", "ConfigureUsers", "ConfigureComponents"),
    "Operator": (*_SELF, "ConfigureComponents"),
    "ReadOnly": _SELF,
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
    add_system(spec, add)
    collect(f"{ROOT}Systems", "ComputerSystem", "Systems Collection")
    for reference, title in (
        ("Boot0001", "Hard Disk"),
        ("Boot0002", "PXE Device 1: Embedded NIC 1"),
        ("Boot0003", "UEFI Shell"),
    ):
        where = f"{SYSTEM}/BootOptions/{reference}"
        add(where, "BootOption", title, BootOptionReference=reference, DisplayName=title)
    collect(f"{SYSTEM}/BootOptions", "BootOption", "Boot Options Collection")
    add_bios(spec, add)
    collect(REGISTRIES, "MessageRegistryFile", "Registry File Collection")
    add_manager(spec, add)
    collect(f"{ROOT}Managers", "Manager", "Managers Collection")
    collect(f"{MANAGER}/EthernetInterfaces", "EthernetInterface", "Ethernet Network Interface Collection")
    collect(f"{MANAGER}/HostInterfaces", "HostInterface", "Host Interface Collection")
    if spec.virtual_cd:
        add_virtual_cd(add)
        collect(f"{MANAGER}/VirtualMedia", "VirtualMedia", "Virtual Media Collection")
        tree[MANAGER]["VirtualMedia"] = {"@odata.id": f"{MANAGER}/VirtualMedia"}
    add_firmware(spec, add)
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
