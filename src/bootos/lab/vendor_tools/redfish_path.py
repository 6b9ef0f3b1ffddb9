"""Where the resources of a lab machine's Redfish service are, and what their settings may be."""

from typing import Any

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
REGISTRY = f"{REGISTRIES}/BiosAttributeRegistry/registry"
CD = f"{MANAGER}/VirtualMedia/CD1"
BOOT_SWITCHES = ("Disabled", "Once", "Continuous")
BOOT_TARGETS = ("None", "Pxe", "Cd", "Hdd", "BiosSetup")
RESET_TYPES = ("On", "ForceOff", "ForceRestart", "GracefulShutdown")
POWER_POLICIES = ("AlwaysOn", "AlwaysOff", "LastState")
SHORTEST_PASSWORD = 8
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
