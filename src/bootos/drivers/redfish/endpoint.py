"""Where a machine's Redfish service is and with what account; the link to it, where that is a host interface.

Used by the drivers named `*.redfish`. Looks only at inventory and template until `prepare_link` or a temporary
account are needed. Passwords are in no repr and no log.
"""

import ipaddress
import json
import logging
from pathlib import Path
from weakref import WeakKeyDictionary

import msgspec

from bootos.drivers.contract import DriverError, Machine
from bootos.errors import Problem
from bootos.masking import Hidden
from bootos.process import ToolError
from bootos.template.model import Oob, Secret, Template
from bootos.wire.inventory import Inventory, RedfishInterface

log = logging.getLogger(__name__)

WORDS = "oob: {redfish: {user: NAME, password: {secret: NAME}}}"
# DSP0270 1.3, section 9: Get Bootstrap Account Credentials. With A5h the service gives out such accounts also later.
BOOTSTRAP = ("raw", "0x2c", "0x02", "0x52", "0xa5")
_GROUP, _NAME_BYTES, _PASSWORD_BYTES = 0x52, 16, 16


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`user` empty: a temporary account is asked for. `link`: the host interface it is behind."""

    url: str
    reason: str
    user: str = ""
    verify: bool = True
    fingerprint: str = ""
    link: RedfishInterface | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    password: Hidden


_given_out: WeakKeyDictionary[Machine, Account] = WeakKeyDictionary()


def find_endpoints(template: Template | None, inventory: Inventory) -> tuple[list[Endpoint], list[Problem]]:
    """Where the service may be, the likeliest first, or what the template must say. Pure."""
    oob = template.oob if template is not None and template.oob is not None else Oob()
    asked, bmc = oob.redfish, inventory.bmc
    link = bmc.redfish if bmc is not None and bmc.redfish is not None else None
    user = asked.user if asked is not None and asked.user is not None else ""
    fingerprint = normalize_fingerprint(asked.fingerprint) if asked is not None and asked.fingerprint else ""
    verify = asked.verify if asked is not None else True
    if not user and not (link is not None and link.bootstrap):
        message = "the Redfish service wants an account, and this BMC gives out no temporary one"
        return [], [Problem(path="oob.redfish.user", message=message, hint=WORDS)]

    def at(url: str, reason: str, *, behind: RedfishInterface | None = None) -> Endpoint:
        # Over the host interface the certificate is not checked: it names another address, and nobody else can listen
        # there.
        checked = verify and behind is None
        return Endpoint(
            url=url, reason=reason, user=user, verify=checked, fingerprint=fingerprint, link=behind
        )

    if asked is not None and asked.address is not None:
        first = build_url(asked.address)
        found = [at(first, "oob.redfish.address")]
        # the BMC may have this address already
        if oob.network is not None and oob.network.address is not None:
            host = str(ipaddress.IPv4Interface(oob.network.address).ip)
            found.append(at(_replace_host(first, host), "oob.network.address"))
        return found, []
    if link is not None and link.service_address is not None:
        port = f":{link.service_port}" if link.service_port not in (None, 443) else ""
        url = f"https://{link.service_address}{port}"
        return [at(url, "the host interface that SMBIOS lists", behind=link)], []
    if bmc is not None and bmc.address is not None:
        return [at(f"https://{bmc.address}", "the BMC's LAN address")], []
    message = (
        "it is not known where this machine's Redfish service is: neither SMBIOS nor IPMI tell an address"
    )
    return [], [
        Problem(path="oob.redfish.address", message=message, hint="oob: {redfish: {address: ADDRESS}}")
    ]


def build_url(address: str) -> str:
    """`10.0.8.21`, `bmc7:8443`, `http://...` as the address of the service."""
    return (address if "://" in address else f"https://{address}").rstrip("/")


def normalize_fingerprint(text: str) -> str:
    """SHA-256 as 64 hexadecimal digits, from whatever openssl or a browser shows."""
    return text.lower().replace(":", "").removeprefix("sha256")


def _replace_host(url: str, host: str) -> str:
    scheme, _, rest = url.partition("://")
    _, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    return f"{scheme}://{host}{colon}{port}" if colon else f"{scheme}://{host}"


def find_accounts(machine: Machine, endpoint: Endpoint) -> list[Account]:
    """The accounts to log on with. When the job itself gives that user another password, it may have it already.
    Raises DriverError when there is none."""
    if not endpoint.user:
        if machine not in _given_out:
            _given_out[machine] = _ask_account(machine)
        return [_given_out[machine]]
    oob = machine.template.oob if machine.template is not None and machine.template.oob is not None else Oob()
    wanted = [oob.redfish.password if oob.redfish is not None else None]
    wanted += [user.password for user in oob.users if user.name == endpoint.user]
    found: list[str] = []
    for password in wanted:
        if isinstance(password, Secret):
            if password.secret not in machine.secrets:
                raise DriverError(
                    f"the secret {password.secret!r} has no value",
                    hint="store it on the server, or give it to bootos-agent by hand",
                )
            password = machine.secrets[password.secret]
        if password is not None and password not in found:
            found.append(password)
    if not found:
        raise DriverError("oob.redfish.password is missing", hint=WORDS)
    return [Account(user=endpoint.user, password=Hidden(password)) for password in found]


def _ask_account(machine: Machine) -> Account:
    """A temporary account; the BMC forgets it when it or the machine is reset."""
    try:
        said = machine.run(["ipmitool", *BOOTSTRAP], timeout_s=30).stdout
        raw = bytes(int(word, 16) for word in said.split())
    except (ToolError, ValueError) as cause:
        raise DriverError("the BMC gave out no temporary Redfish account", hint=WORDS) from cause
    if len(raw) < 1 + _NAME_BYTES + _PASSWORD_BYTES or raw[0] != _GROUP:
        raise DriverError("the BMC's temporary Redfish account makes no sense", hint=WORDS)
    name, password = raw[1 : 1 + _NAME_BYTES], raw[1 + _NAME_BYTES : 1 + _NAME_BYTES + _PASSWORD_BYTES]
    user = name.rstrip(b"\0").decode("ascii", "replace")
    log.info("the BMC gave out the temporary Redfish account %s", user)
    return Account(user=user, password=Hidden(password.rstrip(b"\0").decode("ascii", "replace")))


def prepare_link(machine: Machine, link: RedfishInterface) -> None:
    """Bring the host interface's network card up with the address SMBIOS gives this side. Raises DriverError."""
    if not (link.mac or link.usb_id or link.pci_address):
        return  # the firmware names no network card, so the service is reached over the machine's own network
    name = _find_card(machine, link)
    if name is None:
        what = link.mac or (f"USB {link.usb_id}" if link.usb_id else "") or link.pci_address or "unknown"
        raise DriverError(
            f"the network card of the Redfish host interface ({what}) is not there",
            hint="its kernel module may be missing (cdc_ether, rndis_host), or the BMC has the interface switched "
            "off; oob.redfish.address goes another way",
        )
    try:
        machine.run(["ip", "link", "set", "dev", name, "up"])
        listed = json.loads(machine.run(["ip", "-j", "-4", "addr", "show", "dev", name]).stdout or "[]")
        present = {item["local"] for card in listed for item in card.get("addr_info", [])}
        address = find_host_address(link)
        if address is not None and str(address.ip) not in present:
            machine.run(["ip", "addr", "replace", str(address), "dev", name])
    except (ToolError, ValueError, KeyError) as cause:
        raise DriverError(f"{name} could not be brought up for the Redfish host interface") from cause


def find_host_address(link: RedfishInterface) -> ipaddress.IPv4Interface | None:
    """This side's address: as SMBIOS says, else the neighbour of the service's (the link has two ends)."""
    mask = link.host_netmask or link.service_netmask or "255.255.255.0"
    if link.host_address is not None:
        return ipaddress.IPv4Interface(f"{link.host_address}/{mask}")
    if link.service_address is None:
        return None
    service = ipaddress.IPv4Interface(f"{link.service_address}/{mask}")
    for candidate in (service.ip + 1, service.ip - 1):
        if candidate in service.network and candidate not in (
            service.network.network_address,
            service.network.broadcast_address,
        ):
            return ipaddress.IPv4Interface(f"{candidate}/{mask}")
    return None


def _find_card(machine: Machine, link: RedfishInterface) -> str | None:
    cards = sorted((machine.root / "sys/class/net").glob("*"))
    for card in cards:
        if link.mac is not None and _read(card / "address").lower() == link.mac:
            return card.name
    for card in cards:
        device = (card / "device").resolve()
        if link.usb_id is not None and link.usb_id == (
            f"{_read(device.parent / 'idVendor')}:{_read(device.parent / 'idProduct')}"
        ):
            return card.name
        if link.pci_address is not None and device.name == link.pci_address:
            return card.name
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
