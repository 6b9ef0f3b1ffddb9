"""The two programs `ipmi_sim` runs: `lan` answers and keeps what the BMC's LAN port is set to, `chassis` passes
power and reset to the lab.

Run as a file by `ipmi_sim` (through a shell), not imported: standard library only, so that it starts in
milliseconds. Contract: OpenIPMI's examples ipmi_sim_lancontrol and ipmi_sim_chassiscontrol; output
`name:value` per line, an error text and exit code 1 otherwise.
"""

import ipaddress
import json
import os
import socket
import sys

LAN_NAMES = (
    "ip_addr",
    "ip_addr_src",
    "mac_addr",
    "subnet_mask",
    "default_gw_ip_addr",
    "default_gw_mac_addr",
    "backup_gw_ip_addr",
    "backup_gw_mac_addr",
)
BOOT_DEVICES = ("none", "pxe", "default", "cdrom", "bios")
CHASSIS_NAMES = ("power", "reset", "boot", "shutdown", "identify")


class SettingRefused(Exception):
    """A request the hardware would not take."""


def apply_lan(state: dict[str, str], name: str, value: str) -> dict[str, str]:
    """The LAN settings after `name` was set; an address source of dhcp brings the lease with it."""
    if name not in LAN_NAMES:
        raise SettingRefused(f"Invalid parameter: {name}")
    if name == "ip_addr_src":
        if value not in ("static", "dhcp"):
            raise SettingRefused(f"Invalid ip_addr_src: {value}")
        lease = state.get("dhcp_address", "0.0.0.0")
        taken = {"ip_addr": lease, "subnet_mask": "255.255.255.0"} if value == "dhcp" else {}
        return {**state, **taken, name: value}
    if not name.endswith("mac_addr"):
        try:
            ipaddress.IPv4Address(value)
        except ValueError as cause:
            raise SettingRefused(f"Invalid {name}: {value}") from cause
    return {**state, name: value}


def run_lan(path: str, operation: str, words: list[str]) -> str:
    """`get NAME...`, `set NAME VALUE...` or `check NAME VALUE...` on the settings kept in `path`."""
    with open(path) as stream:  # noqa: PTH123 - pathlib costs ten milliseconds at each of ipmi_sim's questions
        state = json.load(stream)
    if operation == "get":
        if unknown := [name for name in words if name not in LAN_NAMES]:
            raise SettingRefused(f"Invalid parameter: {unknown[0]}")
        return "".join(f"{name}:{state[name]}\n" for name in words)
    if operation not in ("set", "check") or len(words) % 2:
        raise SettingRefused(f"Unknown operation: {operation} {words}")
    for name, value in zip(words[::2], words[1::2], strict=True):
        state = apply_lan(state, name, value)
    if operation == "set":
        with open(f"{path}.new", "w") as stream:  # noqa: PTH123
            json.dump(state, stream, indent=1)
        os.replace(f"{path}.new", path)  # noqa: PTH105
    return ""


def run_chassis(path: str, operation: str, words: list[str]) -> str:
    """Pass the request to the lab, which listens on the socket `path`, and return its answer."""
    if operation == "get":
        request = [[name, None] for name in words]
    else:
        request = [[name, value] for name, value in zip(words[::2], words[1::2], strict=False)]
    for name, value in request:
        if name not in CHASSIS_NAMES or (name == "boot" and value not in (None, *BOOT_DEVICES)):
            raise SettingRefused(f"Invalid parameter: {name} {value}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").readline())
    if "error" in answer:
        raise SettingRefused(answer["error"])
    return "".join(f"{name}:{value}\n" for name, value in answer["values"].items())


def main(argv: list[str]) -> int:
    """`lan FILE get|set|check ...` or `chassis SOCKET get|set ...`."""
    try:
        part, path, operation, *words = argv
        sys.stdout.write((run_lan if part == "lan" else run_chassis)(path, operation, words))
    except (SettingRefused, OSError, ValueError, KeyError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
