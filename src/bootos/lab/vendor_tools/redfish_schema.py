"""Which schema a resource is of, and what that means for its service: the version in `@odata.type`, the methods, which
properties a PATCH may change, the documents at `$metadata` and `odata`. Pure; DSP0266 (protocol), DSP8010 (schemas).
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

Tree = Mapping[str, dict[str, Any]]

SCHEMAS = "http://redfish.dmtf.org/schemas/v1"  # where DMTF publishes them; nothing is fetched from there
VERSIONS = {
    "AccountService": "v1_15_0",
    "AttributeRegistry": "v1_3_6",
    "Bios": "v1_2_0",
    "BootOption": "v1_0_4",
    "ComputerSystem": "v1_20_0",
    "EthernetInterface": "v1_9_0",
    "HostInterface": "v1_3_0",
    "Manager": "v1_17_0",
    "ManagerAccount": "v1_10_0",
    "MessageRegistryFile": "v1_1_3",
    "Role": "v1_3_1",
    "ServiceRoot": "v1_15_0",
    "Session": "v1_5_0",
    "SessionService": "v1_1_8",
    "Settings": "v1_3_5",
    "SoftwareInventory": "v1_9_0",
    "Task": "v1_7_1",
    "TaskService": "v1_2_0",
    "UpdateService": "v1_11_0",
    "VirtualMedia": "v1_6_1",
}
WRITABLE = {
    "ComputerSystem": ("AssetTag", "Boot", "PowerRestorePolicy"),
    "EthernetInterface": ("DHCPv4", "InterfaceEnabled", "IPv4StaticAddresses", "VLAN"),
    "ManagerAccount": ("Enabled", "Locked", "Password", "PasswordChangeRequired", "RoleId", "UserName"),
    "SessionService": ("SessionTimeout",),
}
"""What a client may change, by schema; those of the BIOS' settings object are its attributes."""


def build_type(schema: str) -> str:
    """`#ManagerAccount.v1_10_0.ManagerAccount`; a collection has no version."""
    return ".".join(filter(None, (f"#{schema}", VERSIONS.get(schema), schema)))


def find_schema(body: Mapping[str, Any]) -> str:
    """The schema of a resource, empty when it does not tell."""
    return str(body.get("@odata.type", "")).rpartition(".")[2]


def find_writable(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties that a PATCH of this resource may hold."""
    if find_schema(body) == "Bios":
        return () if "@Redfish.Settings" in body else ("Attributes",)
    return WRITABLE.get(find_schema(body), ())


def list_methods(body: Mapping[str, Any], *, has_slots: bool) -> tuple[str, ...]:
    """The methods that a resource knows, for its `Allow` header. `has_slots`: an account is made by naming a free slot,
    as with iDRAC; else accounts are created and deleted."""
    schema = find_schema(body)
    found = ["GET", "HEAD"]
    if schema == "SessionCollection" or (schema == "ManagerAccountCollection" and not has_slots):
        found.append("POST")
    if find_writable(body):
        found.append("PATCH")
    if schema == "Session" or (schema == "ManagerAccount" and not has_slots):
        found.append("DELETE")
    return tuple(found)


def build_link(body: Mapping[str, Any]) -> str:
    """The `Link` header that says where the schema of a resource is (DSP0266, 7.4.3)."""
    name = str(body["@odata.type"]).removeprefix("#").rpartition(".")[0]
    return f"<{SCHEMAS}/{name}.json>; rel=describedby"


def build_metadata(tree: Tree) -> str:
    """The OData metadata document (DSP0266, 8.4.2): the schemas of all resources, and where the service begins."""
    schemas = {find_schema(body) for body in tree.values()} | {"Settings", "Session", "Task"}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">',
    ]
    for schema in sorted(filter(None, schemas)):
        lines.append(f"  <edmx:Reference Uri={quoteattr(f'{SCHEMAS}/{schema}_v1.xml')}>")
        lines.append(f"    <edmx:Include Namespace={quoteattr(schema)}/>")
        if schema in VERSIONS:
            lines.append(f"    <edmx:Include Namespace={quoteattr(f'{schema}.{VERSIONS[schema]}')}/>")
        lines.append("  </edmx:Reference>")
    lines += [
        f"  <edmx:Reference Uri={quoteattr(f'{SCHEMAS}/RedfishExtensions_v1.xml')}>",
        '    <edmx:Include Namespace="RedfishExtensions.v1_0_0" Alias="Redfish"/>',
        "  </edmx:Reference>",
        "  <edmx:DataServices>",
        '    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">',
        f'      <EntityContainer Name="Service" Extends="ServiceRoot.{VERSIONS["ServiceRoot"]}.ServiceContainer"/>',
        "    </Schema>",
        "  </edmx:DataServices>",
        "</edmx:Edmx>",
    ]
    return "\n".join(lines) + "\n"


def build_service_document(root: Mapping[str, Any]) -> dict[str, Any]:
    """The OData service document (DSP0266, 8.4.3): the service root and what it links to."""
    links = {"Service": root, **{name: value for name, value in root.items() if isinstance(value, dict)}}
    entries = [
        {"name": name, "kind": "Singleton", "url": value["@odata.id"]}
        for name, value in links.items()
        if "@odata.id" in value
    ]
    return {"@odata.context": "/redfish/v1/$metadata", "value": entries}
