"""The trusted platform module. Called by `inventory.collect_inventory`."""

import re

from bootos.hardware.dmi import TPM_DEVICE, Dmi
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Tpm

# TCG Vendor ID Registry
_VENDORS = {
    "AMD": "AMD", "ATML": "Atmel", "BRCM": "Broadcom", "CSCO": "Cisco", "GOOG": "Google", "HPE": "HPE",
    "HISI": "Huawei", "IBM": "IBM", "IFX": "Infineon", "INTC": "Intel", "LEN": "Lenovo", "MSFT": "Microsoft",
    "NSM": "National Semiconductor", "NTC": "Nuvoton", "NTZ": "Nationz", "QCOM": "Qualcomm", "SMSC": "SMSC",
    "STM": "STMicroelectronics", "SMSN": "Samsung", "SNS": "Sinosun", "TXN": "Texas Instruments",
    "WEC": "Winbond", "ROCC": "Fuzhou Rockchip", "SECE": "SecEdge",
}  # fmt: skip


def read_tpm(tree: Tree, dmi: Dmi | None) -> Tpm | None:
    """None when the kernel drives none. The vendor comes from SMBIOS type 43, or for 1.2 from the chip."""
    if not tree.exists("sys/class/tpm/tpm0"):
        return None
    caps = tree.read("sys/class/tpm/tpm0/caps") or tree.read("sys/class/tpm/tpm0/device/caps")
    major = tree.read("sys/class/tpm/tpm0/tpm_version_major") or ("1" if caps else None)
    entry = dmi.find(TPM_DEVICE) if dmi is not None else None
    vendor = parse_vendor(entry.data[4:8]) if entry is not None else parse_caps_vendor(caps or "")
    return Tpm(version={"1": "1.2", "2": "2.0"}.get(major or ""), vendor=vendor)


def parse_vendor(raw: bytes) -> str | None:
    """Four characters of the TCG's registry, as a maker's name; unknown ones stay as they are."""
    code = raw.decode("ascii", "replace").strip("\0 ")
    return _VENDORS.get(code, code) or None


def parse_caps_vendor(caps: str) -> str | None:
    """The maker in a TPM 1.2's `caps`: `Manufacturer: 0x49465800`."""
    found = re.search(r"Manufacturer:\s*0x([0-9a-fA-F]{8})", caps)
    return parse_vendor(bytes.fromhex(found[1])) if found else None
