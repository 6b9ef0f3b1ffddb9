"""A BMC that remembers: stands in for ipmitool over KCS, with the answers' form of the real one."""

import itertools
from collections.abc import Sequence
from typing import Any, Unpack

import msgspec

from bootos.drivers.contract import Machine
from bootos.process import Command, Completed, Options

PRIVILEGES = {2: "USER", 3: "OPERATOR", 4: "ADMINISTRATOR", 15: "NO ACCESS"}
SOURCES = {"static": "Static Address", "dhcp": "DHCP Address"}


class FakeUser(msgspec.Struct, kw_only=True):
    name: str = ""
    password: bytes = b""
    privilege: int = 15
    messaging: bool = False
    enabled: bool = False


class BmcMachine:
    """`confirms` False: it says yes to every password, as some BMCs do."""

    def __init__(self, *, confirms: bool = True, slots: int = 10) -> None:
        self.lan = {"source": "dhcp", "ipaddr": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "0.0.0.0"}
        self.vlan = "Disabled"
        self.users = {slot: FakeUser() for slot in range(1, slots + 1)}
        self.users[2] = FakeUser(
            name="ADMIN", password=b"ADMIN".ljust(16, b"\0"), privilege=4, messaging=True, enabled=True
        )
        self.confirms = confirms
        self.calls: list[list[str]] = []
        self.access = "always available"
        self.suites = "1,2,3,6,7,8,11,12,17"
        self.levels = "aaaaaaaaaaaaaaa"
        self.by_number = False  # whose level is whose
        self.refused_levels: set[str] = set()
        self.maker = 0
        self.answers_lan = False  # whether this machine reaches its BMC over the LAN
        self.hangs_after_change = False  # ipmitool over the LAN does not end any more once levels were set
        self.late_levels: set[str] = set()  # the BMC takes these, and ipmitool does not end
        self.print_code = 0  # the status that `lan print` ends with
        self.sol: dict[str, str] | None = {"enabled": "false", "volatile": "115.2", "non-volatile": "9.6"}
        self.boot = ""  # the options of `chassis bootdev`
        self.events = ["1 | 12/17/2019 | 02:57:25 | Power Supply #0xfb | Power Supply AC lost | Asserted"]
        self.deaf_settings: set[str] = set()  # settings that the BMC accepts and does not apply
        self.resets = 0
        self.deaf = 0  # how many requests get no answer after a reset
        self.machine = Machine(run=self.run)

    def run(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = list(command.words)
        self.calls.append(words)
        assert words[0] == "ipmitool"
        if self.deaf:
            self.deaf -= 1
            stdout, stderr, code = "", "Could not open device at /dev/ipmi0", 1
        elif words[1:4] == ["-v", "-I", "lanplus"]:
            assert not any(
                secret in words or secret in (command.env or {}).values() for secret in command.secrets
            )
            assert words[words.index("-f") + 1] == "/dev/stdin"
            if self.hangs_after_change and any("cipher_privs" in call for call in self.calls):
                raise command.build_late("was ended")
            stdout, stderr, code = self._log_in(words[4:], (command.input or "").removesuffix("\n"))
        elif words[1] == "exec":
            assert words[2] == "/dev/stdin"
            assert command.input is not None
            assert all(secret in command.input for secret in command.secrets)
            stdout, stderr, code = self._answer_raw([int(word, 16) for word in command.input.split()[1:]])
        else:
            stdout, stderr, code = self._answer(words[1:])
            if words[-1] in self.late_levels:
                raise command.build_late("was ended")
        return command.complete(code, stdout, stderr)

    def _log_in(self, words: list[str], password: str) -> tuple[str, str, int]:
        """What ipmitool 1.8.19 says with -v."""
        options = dict(itertools.pairwise(words))
        end = "Error: Unable to establish IPMI v2 / RMCP+ session\n"
        if not self.answers_lan or options["-H"] != self.lan["ipaddr"]:
            silent = (
                "Get Auth Capabilities error\nError issuing Get Channel Authentication Capabilities request\n"
            )
            return "", silent + end, 1
        suites = [int(word) for word in self.suites.split(",")]
        suite = int(options["-C"])
        place = suite if self.by_number or suite not in suites else suites.index(suite)
        if suite not in suites or (place < len(self.levels) and self.levels[place] == "X"):
            refused = "no matching cipher suite"
            return "", f"Error in open session response message : {refused}\n\n{end}", 1
        limit = self.levels[place] if place < len(self.levels) else "a"
        level = {"c": "CALLBACK", "u": "USER", "o": "OPERATOR"}.get(limit)
        if level is not None and options["-L"] != level:
            refused = "unauthorized role or privilege level requested"
            return "", f"RAKP 2 message indicates an error : {refused}\n{end}", 1
        user = next((user for user in self.users.values() if user.name == options["-U"]), None)
        if user is None or not user.enabled:
            return "", f"RAKP 2 message indicates an error : unauthorized name\n{end}", 1
        if user.password.rstrip(b"\0") != password.encode():
            return "", f"> RAKP 2 HMAC is invalid\n{end}", 1
        return "Device ID                 : 32\n", "", 0

    def _answer_raw(self, data: list[int]) -> tuple[str, str, int]:
        netfn, command, head, operation, *password = data
        assert (netfn, command) == (0x06, 0x47)
        assert len(password) == (20 if head & 0x80 else 16)
        user = self.users[head & 0x3F]
        if operation == 2:
            user.password = bytes(password)
            return "\n", "", 0
        if not self.confirms or user.password == bytes(password):
            return "\n", "", 0
        code = 0x81 if len(user.password) != len(password) else 0x80
        said = f"Unable to send RAW command (channel=0x0 netfn=0x6 lun=0x0 cmd=0x47 rsp=0x{code:x}): Unknown"
        return "", said, 1

    def _answer(self, words: list[str]) -> tuple[str, str, int]:
        match words:
            case ["channel", "info", "1"]:
                text = f"  Channel Medium Type   : 802.3 LAN\n    Access Mode         : {self.access}\n"
                return text, "", 0
            case ["channel", "info", _]:
                return "", "Unable to Get Channel Info", 1
            case ["lan", "print", "1"]:
                return self._print_lan(), "", self.print_code
            case ["-c", "user", "list", "1"]:
                return "".join(self._list_user(slot, user) for slot, user in self.users.items()), "", 0
            case ["channel", "getaccess", "1", slot]:
                status = "enabled" if self.users[int(slot)].enabled else "disabled"
                return f"Enable Status        : {status}\n", "", 0
            case ["sol", *_] if self.sol is None:
                return "", "Error requesting SOL parameter 'Set In Progress (0)': Invalid command", 1
            case ["sol", "info", "1"]:
                return self._print_sol(), "", 0
            case ["sol", "set", name, value, "1"]:
                if self.sol is not None and "sol" not in self.deaf_settings:
                    self.sol[name.removesuffix("-bit-rate")] = value
            case ["chassis", "bootparam", "get", "5"]:
                return self._print_boot(), "", 0
            case ["chassis", "bootdev", device, *options]:
                self.boot = " ".join([device, *options])
            case ["sel", "info"]:
                return f"SEL Information\nEntries          : {len(self.events)}\n", "", 0
            case ["sel", "list", "last", _]:
                return "".join(f"   {line}\n" for line in self.events), "", 0
            case ["sel", "clear"]:
                if "sel" not in self.deaf_settings:
                    cleared = "1 | 06/02/2020 | 18:31:10 | Event Logging Disabled #0x72"
                    self.events = [f"{cleared} | Log area reset/cleared | Asserted"]
            case ["lan", "set", "1", "cipher_privs", levels]:
                if levels in self.refused_levels:
                    return "", "LAN Parameter Data does not match!  Write may have failed.", 1
                self.levels = levels
            case ["lan", "set", "1", "access", word]:
                self.access = "always available" if word == "on" else "disabled"
            case ["lan", "set", "1", "ipsrc", source]:
                self.lan["source"] = source
            case ["lan", "set", "1", "defgw", "ipaddr", value]:
                self.lan["gateway"] = value
            case ["lan", "set", "1", "vlan", "id", value]:
                self.vlan = "Disabled" if value == "off" else value
            case ["lan", "set", "1", key, value]:
                self.lan[key] = value
            case ["user", "set", "name", slot, name]:
                self.users[int(slot)].name = name
            case ["channel", "setaccess", "1", slot, "callin=on", "ipmi=on", "link=on", privilege]:
                self.users[int(slot)].messaging = True
                self.users[int(slot)].privilege = int(privilege.removeprefix("privilege="))
            case ["channel", "setaccess", "1", slot, "callin=off", "ipmi=off", "link=off", "privilege=15"]:
                self.users[int(slot)].messaging = False
                self.users[int(slot)].privilege = 15
            case ["user", ("enable" | "disable") as word, slot]:
                self.users[int(slot)].enabled = word == "enable"
            case ["mc", "reset", "cold"]:
                self.resets += 1
                self.deaf = 3
            case ["mc", "info"]:
                return f"Manufacturer ID           : {self.maker}\n", "", 0
            case _:
                raise AssertionError(f"the fake BMC does not know {words}")
        return "", "", 0

    def _print_lan(self) -> str:
        return (
            f"IP Address Source       : {SOURCES[self.lan['source']]}\n"
            f"IP Address              : {self.lan['ipaddr']}\n"
            f"Subnet Mask             : {self.lan['netmask']}\n"
            "MAC Address             : 52:54:00:b0:0c:01\n"
            f"Default Gateway IP      : {self.lan['gateway']}\n"
            f"802.1q VLAN ID          : {self.vlan}\n"
            f"RMCP+ Cipher Suites     : {self.suites}\n"
            f"Cipher Suite Priv Max   : {self.levels}\n"
            "                        :     X=Cipher Suite Unused\n"
        )

    def _print_sol(self) -> str:
        assert self.sol is not None
        return (
            "Set in progress                 : set-complete\n"
            f"Enabled                         : {self.sol['enabled']}\n"
            "Force Encryption                : true\n"
            "Privilege Level                 : OPERATOR\n"
            f"Volatile Bit Rate (kbps)        : {self.sol['volatile']}\n"
            f"Non-Volatile Bit Rate (kbps)    : {self.sol['non-volatile']}\n"
            "Payload Channel                 : 1 (0x01)\n"
        )

    def _print_boot(self) -> str:
        device, _, options = self.boot.partition(" ")
        names = {
            "pxe": "Force PXE",
            "disk": "Force Boot from default Hard-Drive",
            "bios": "Force Boot into BIOS Setup",
        }
        return (
            "Boot parameter version: 1\n Boot Flags :\n"
            f"   - Boot Flag {'Valid' if names.get(device) else 'Invalid'}\n"
            f"   - Options apply to {'all future boots' if 'persistent' in options else 'only next boot'}\n"
            f"   - {'BIOS EFI boot ' if 'efiboot' in options else 'BIOS PC Compatible (legacy) boot '}\n"
            f"   - Boot Device Selector : {names.get(device, 'No override')}\n"
        )

    @staticmethod
    def _list_user(slot: int, user: FakeUser) -> str:
        messaging = "true" if user.messaging else "false"
        return f"{slot},{user.name},true,false,{messaging},{PRIVILEGES[user.privilege]}\n"
