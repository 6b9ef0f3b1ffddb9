"""What a lab machine has that its Redfish service shows: the system, its BIOS, its BMC and
their firmware. Pure.

Called by `redfish_tree`. `add` puts a resource into the tree: path, schema, name, properties.
"""

from typing import Any

from bootos.lab.vendor_tools.redfish_path import (
    ADDRESS,
    BIOS,
    BIOS_PENDING,
    BOOT_SWITCHES,
    BOOT_TARGETS,
    CD,
    EMPTY_DRIVE,
    INVENTORY,
    MANAGER,
    POWER_POLICIES,
    REGISTRY,
    RESET_TYPES,
    SYSTEM,
)
from bootos.lab.vendor_tools.redfish_schema import build_type
from bootos.lab.vendor_tools.redfish_spec import BiosAttribute, RedfishSpec


def add_system(spec: RedfishSpec, add: Any) -> None:
    """The system and its boot settings."""
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


def add_bios(spec: RedfishSpec, add: Any) -> None:
    """The BIOS's settings, those for the next start, and the registry that says what they may be."""
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


def add_manager(spec: RedfishSpec, add: Any) -> None:
    """The BMC and its network."""
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


def add_virtual_cd(add: Any) -> None:
    """The BMC's virtual CD, which is empty."""
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


def add_firmware(spec: RedfishSpec, add: Any) -> None:
    """The firmware that can be updated."""
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
