"""The processors: /proc/cpuinfo for what they are, the kernel's topology in sysfs for how many, and its clock.

Called by `inventory.collect_inventory`. Counts are of what the kernel has online.
"""

import platform
from collections.abc import Sequence

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
    _add_topology(tree, cpu)
    max_khz = tree.read_int("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    cpu.max_mhz = max_khz // 1000 if max_khz else None
    return cpu


def parse_cpuinfo(text: str) -> Cpu:
    """x86's /proc/cpuinfo. `sockets` and `cores` are None where it has no `physical id` (other architectures)."""
    blocks = [_parse_block(block) for block in text.split("\n\n")]
    first = next(iter(blocks), {})
    packages: dict[str, list[dict[str, str]]] = {}
    for block in blocks:
        if "processor" in block and "physical id" in block:
            packages.setdefault(block["physical id"], []).append(block)
    flags = set(first.get("flags", "").split())
    return Cpu(
        model=" ".join(first.get("model name", "").split()) or None,
        vendor=first.get("vendor_id") or None,
        sockets=len(packages) or None,
        cores=sum(_count_cores(blocks) for blocks in packages.values()) or None,
        threads=sum("processor" in block for block in blocks) or None,
        microcode=first.get("microcode") or None,
        flags=[flag for flag in FLAGS_THAT_MATTER if flag in flags],
    )


def _parse_block(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _count_cores(blocks: Sequence[dict[str, str]]) -> int:
    """The cores of one package. Two dies of a package may number their cores alike: what the package says of itself
    (`cpu cores` for so many `siblings`) then counts for more."""
    numbers = {block["core id"] for block in blocks if "core id" in block}
    cores, siblings = blocks[0].get("cpu cores", ""), blocks[0].get("siblings", "")
    if cores.isdigit() and siblings.isdigit() and 0 < int(cores) <= int(siblings):
        return max(len(numbers), len(blocks) * int(cores) // int(siblings))
    return len(numbers)


def _add_topology(tree: Tree, cpu: Cpu) -> None:
    """The kernel's own grouping (Documentation/admin-guide/cputopology.rst): threads that share a core are the same
    list, whatever the core's number is. Where it is not shown, the counts stay as they are."""
    packages: set[str] = set()
    cores: set[tuple[str, str]] = set()
    for name in tree.names("sys/devices/system/cpu"):
        if not (name.startswith("cpu") and name[3:].isdigit()):
            continue
        place = f"sys/devices/system/cpu/{name}/topology"
        package = tree.read(f"{place}/physical_package_id")
        core = tree.read(f"{place}/thread_siblings_list") or tree.read(f"{place}/core_id")
        if package is not None and core is not None:
            packages.add(package)
            cores.add((package, core))
    packages.discard("-1")  # the kernel does not know it (POWER, some ARM)
    cpu.sockets = len(packages) or cpu.sockets
    cpu.cores = len(cores) or cpu.cores
