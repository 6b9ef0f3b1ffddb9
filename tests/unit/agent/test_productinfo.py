"""What a v1 server is told of a captured machine."""

import json
from pathlib import Path

import msgspec
import pytest

from bootos.agent.cloudboot.productinfo import build_product_info, encode_product_info
from bootos.wire import cloudboot_v1 as v1
from bootos.wire.inventory import Inventory

MACHINES = Path(__file__).parents[2] / "golden/hardware/machines"
KEYS = "Sn Company Product ModelName Ip Mac Nic Cpu Memory MemorySum Disk DiskSum Motherboard Raid Oob IsVm NicDevice"


def read_machine(name: str) -> Inventory:
    return msgspec.json.decode((MACHINES / f"{name}.inventory.json").read_bytes(), type=Inventory)


def test_a_server_with_six_disks_and_a_bmc() -> None:
    info = build_product_info(read_machine("server-six-disks"), "7XK2P03", "52:54:00:aa:00:01")
    said = json.loads(encode_product_info(info))
    assert list(said) == KEYS.split()
    said["Disk"] = said["Disk"][:1]
    assert said == {
        "Sn": "7XK2P03",
        "Company": "Dell Inc.",
        "Product": "PowerEdge",
        "ModelName": "PowerEdge R740",
        "Ip": "10.0.8.21",
        "Mac": "52:54:00:aa:00:01",
        "Nic": [
            {"Name": "eth0", "Mac": "52:54:00:aa:00:01", "Ip": "10.0.8.21"},
            {"Name": "eth1", "Mac": "02:11:22:33:44:55", "Ip": "10.0.8.21"},
        ],
        "Cpu": {"Model": "QEMU TCG CPU version 2.5+", "Core": "2"},
        "Memory": [{"Name": "DIMM 0", "Size": "1536 MB"}],
        "MemorySum": 2,
        "Disk": [{"Name": "/dev/nvme1n1", "Size": "6.4 GB"}],
        "DiskSum": 23,
        "Motherboard": {"Name": "Dell Inc.", "Model": "06WXJT"},
        "Raid": "",
        "Oob": "10.0.9.21",
        "IsVm": "No",
        "NicDevice": "eth0: 82574L Gigabit Network Connection; eth1: Virtio network device",
    }


def test_the_pxe_nic_comes_first_and_removable_disks_do_not_count() -> None:
    inventory = read_machine("server-controllers")
    info = build_product_info(inventory, "S", "52:54:00:bb:00:03")
    assert [nic.mac[-2:] for nic in info.nic] == ["03", "01", "02"]
    assert [nic.ip for nic in info.nic] == ["", "", ""]  # IPv6 only: v1 has no place for it
    assert len(info.disk) == len(inventory.disks) - 1
    assert info.raid.startswith("MegaRAID SAS 1078")


@pytest.mark.parametrize("name", ["server-six-disks", "server-controllers"])
def test_a_server_reads_every_field_with_its_type(name: str) -> None:
    info = build_product_info(read_machine(name), "S", "52:54:00:bb:00:03")
    assert v1.read_request(encode_product_info(info), v1.ProductInfo) == info


def test_a_machine_that_tells_nothing_still_has_a_company() -> None:
    inventory = Inventory(collected_at="")
    inventory.virtual = "kvm"
    info = build_product_info(inventory, "52:54:00:00:00:01", "")
    assert (info.company, info.cpu.core, info.memory_sum, info.is_vm) == ("unknown", "0", 0, "Yes")
