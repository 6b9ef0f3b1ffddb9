"""Whether the machine is virtual, and which hypervisor runs it. Pure. Called by `inventory.collect_inventory`.

The rule: a machine is virtual when the processor says so (the CPUID bit that Linux shows as the flag
`hypervisor`), or when SMBIOS names a hypervisor as the maker of system, board or BIOS, or as the product.
Nothing else counts: virtio or QEMU devices on the PCI bus do not make a machine virtual, since a virtual
machine of the lab that stands for a steel one (`-cpu max,-hypervisor` and a server maker's SMBIOS strings)
has them too; nor does SeaBIOS, which coreboot boards use.
"""

from bootos.hardware.dmi import BIOS, BOARD, SYSTEM, Dmi
from bootos.wire.inventory import Cpu

# How the strings of each hypervisor begin. The list is that of systemd-detect-virt(1).
_MAKERS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Oracle Corporation VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "hyper-v"),
    ("Apple Virtualization", "apple"),
)


def find_hypervisor(cpu: Cpu, dmi: Dmi | None) -> str | None:
    """The hypervisor's name; `unknown` when only the processor tells; None on a physical machine."""
    said = find_maker(dmi) if dmi is not None else None
    if "hypervisor" in cpu.flags:
        return said or "unknown"
    return said


def find_maker(dmi: Dmi) -> str | None:
    """The hypervisor that SMBIOS names. EC2's `*.metal` machines carry Amazon's name and are steel."""
    texts = []
    for kind, offsets in ((SYSTEM, (0x05, 0x04)), (BOARD, (0x04,)), (BIOS, (0x04,))):
        entry = dmi.find(kind)
        texts += [entry.raw_text(offset) or "" for offset in offsets] if entry is not None else []
    system = dmi.find(SYSTEM)
    if system is not None:
        product = system.raw_text(0x05) or ""
        if (system.raw_text(0x04), product) == ("Microsoft Corporation", "Virtual Machine"):
            return "hyper-v"
        if "metal" in product.rpartition(".")[2]:
            texts = [text for text in texts if not text.startswith("Amazon EC2")]
    for text in texts:
        for start, name in _MAKERS:
            if text.startswith(start):
                return name
    return None
