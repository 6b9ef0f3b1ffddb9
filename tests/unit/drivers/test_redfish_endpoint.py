"""Where the Redfish service is, how the link to it comes up, and temporary accounts."""

from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.redfish.endpoint import find_accounts, find_endpoints, find_host_address, prepare_link
from bootos.process import Completed
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Bmc, Inventory, RedfishInterface

ACCESS = {"user": "root", "password": {"secret": "bmc"}}
USB = RedfishInterface(service_address="169.254.0.17", service_netmask="255.255.255.0", usb_id="046b:ffb0")


def build(**oob: Any) -> Template:
    template, problems = read_template({"name": "t", "oob": oob})
    assert template is not None
    assert problems == []
    return template


def build_inventory(**bmc: Any) -> Inventory:
    return Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc(**bmc))


class Recorder:
    """Runs nothing; remembers, and answers ipmitool."""

    def __init__(self, stdout: str = "") -> None:
        self.calls: list[list[str]] = []
        self.stdout = stdout

    def __call__(self, argv: Any, **options: Any) -> Completed:
        self.calls.append([str(word) for word in argv])
        said = self.stdout if argv[0] == "ipmitool" else "[]"
        return Completed(argv=tuple(argv), returncode=0, stdout=said, stderr="", duration_s=0.0)


def test_the_template_goes_before_smbios_and_smbios_before_the_lan() -> None:
    told = build(redfish={**ACCESS, "address": "10.0.8.9:8443"})
    inventory = build_inventory(address="10.0.8.21", redfish=USB)
    assert [end.url for end in find_endpoints(told, inventory)[0]] == ["https://10.0.8.9:8443"]
    silent = build(redfish=ACCESS)
    inside = find_endpoints(silent, inventory)[0][0]
    assert (inside.url, inside.verify, inside.link) == ("https://169.254.0.17", False, USB)
    outside = find_endpoints(silent, build_inventory(address="10.0.8.21"))[0][0]
    assert (outside.url, outside.verify) == ("https://10.0.8.21", True)


def test_a_bmc_that_may_have_moved_is_looked_for_at_both_places() -> None:
    network = {"source": "static", "address": "10.0.8.30/24"}
    template = build(redfish={**ACCESS, "address": "10.0.8.9:8443"}, network=network)
    urls = [end.url for end in find_endpoints(template, build_inventory())[0]]
    assert urls == ["https://10.0.8.9:8443", "https://10.0.8.30:8443"]


def test_what_is_missing_is_said_in_words_of_the_template() -> None:
    _, problems = find_endpoints(build(), build_inventory(address="10.0.8.21"))
    assert [problem.path for problem in problems] == ["oob.redfish.user"]
    _, problems = find_endpoints(build(redfish=ACCESS), build_inventory())
    assert [problem.path for problem in problems] == ["oob.redfish.address"]


def test_the_links_card_is_found_by_its_usb_ids_and_gets_the_neighbouring_address(tmp_path: Path) -> None:
    device = tmp_path / "sys/devices/usb1/1-2/1-2:1.0"
    (device / "net/usb0").mkdir(parents=True)
    (device.parent / "idVendor").write_text("046b\n")
    (device.parent / "idProduct").write_text("ffb0\n")
    card = tmp_path / "sys/class/net/usb0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(device)
    run = Recorder()
    prepare_link(Machine(run=run, root=tmp_path), USB)
    assert run.calls[0] == ["ip", "link", "set", "dev", "usb0", "up"]
    assert run.calls[-1] == ["ip", "addr", "replace", "169.254.0.18/24", "dev", "usb0"]


def test_a_link_without_its_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="USB 046b:ffb0"):
        prepare_link(Machine(run=Recorder(), root=tmp_path), USB)


def test_smbios_own_address_of_this_side_is_taken() -> None:
    link = RedfishInterface(service_address="10.1.0.1", host_address="10.1.0.2", host_netmask="255.255.0.0")
    assert str(find_host_address(link)) == "10.1.0.2/16"


def test_a_temporary_account_is_asked_for_once_and_never_shown() -> None:
    raw = bytes([0x52]) + b"tmp-17".ljust(16, b"\0") + b"Xy!tmp-Password0"
    run = Recorder(" ".join(f"{byte:02x}" for byte in raw))
    machine = Machine(run=run)
    link = RedfishInterface(service_address="169.254.0.17", bootstrap=True)
    endpoint = find_endpoints(None, build_inventory(redfish=link))[0][0]
    account = find_accounts(machine, endpoint)[0]
    assert (account.user, account.password.password) == ("tmp-17", "Xy!tmp-Password0")
    assert "Xy!" not in repr(account)
    find_accounts(machine, endpoint)
    assert run.calls == [["ipmitool", "raw", "0x2c", "0x02", "0x52", "0xa5"]]
