"""The processors: /proc/cpuinfo, and sysfs for what it leaves out (clock; topology on other architectures).

Called by `inventory.collect_inventory`. Counts are of what the kernel has online.
"""

import platform

from bootos.hardware.tree import Tree
from bootos.wire.inventory import Cpu

# The flags that decide which software can run. A processor has two hundred more, which only the kernel needs.
FLAGS_THAT_MATTER = (
    "lm", "nx", "vmx", "svm", "hypervisor", "x2apic", "pdpe1gb", "la57", "pku", "aes", "sha_ni", "rdrand",
    "sse4_2", "avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "sgx", "sme", "sev", "sev_es",
    "sev_snp", "tdx_host_platform",
)  # fmt: skip


def read_cpu(tree: Tree) -> Cpu:
    """All processors of the machine."""
    cpu = parse_cpuinfo(tree.read("proc/cpuinfo") or "")
    cpu.architecture = platform.machine() or None
    if cpu.sockets is None:
        _add_topology(tree, cpu)
    max_khz = tree.read_int("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    cpu.max_mhz = max_khz // 1000 if max_khz else None
    return cpu


def parse_cpuinfo(text: str) -> Cpu:
    """x86's /proc/cpuinfo. `sockets` and `cores` are None where it has no `physical id` (other architectures)."""
    first: dict[str, str] = {}
    threads = 0
    packages: set[str] = set()
    cores: set[tuple[str, str]] = set()
    package = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.rstrip()
        if key == "processor":
            threads += 1
        elif key == "physical id":
            package = value.strip()
            packages.add(package)
        elif key == "core id":
            cores.add((package, value.strip()))
        if key and threads <= 1:
            first.setdefault(key, value.strip())
    flags = set(first.get("flags", "").split())
    return Cpu(
        model=" ".join(first.get("model name", "").split()) or None,
        vendor=first.get("vendor_id") or None,
        sockets=len(packages) or None,
        cores=len(cores) or None,
        threads=threads or None,
        microcode=first.get("microcode") or None,
        flags=[flag for flag in FLAGS_THAT_MATTER if flag in flags],
    )


def _add_topology(tree: Tree, cpu: Cpu) -> None:
    packages: set[str] = set()
    cores: set[tuple[str, str]] = set()
    for name in tree.names("sys/devices/system/cpu"):
        if not (name.startswith("cpu") and name[3:].isdigit()):
            continue
        package = tree.read(f"sys/devices/system/cpu/{name}/topology/physical_package_id")
        core = tree.read(f"sys/devices/system/cpu/{name}/topology/core_id")
        if package is not None and core is not None:
            packages.add(package)
            cores.add((package, core))
    cpu.sockets = len(packages) or None
    cpu.cores = len(cores) or None
