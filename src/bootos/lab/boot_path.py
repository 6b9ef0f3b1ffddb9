"""Each way into BootOS, from power-on to registered, on a lab machine: what it loads and what it costs.

Used by the test of the boot paths and by `benchmarks/boot_paths.py`. A path is data; `measure_path` boots it.
"""

import io
import re
import sys
import tarfile
from pathlib import Path
from typing import Any, Literal

import msgspec

from bootos.errors import BootosError
from bootos.lab.capture import read_capture
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.redfish_request import ask_redfish
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.server import LabServer
from bootos.lab.shell import open_shell, run_in_shell
from bootos.lab.spec import KernelBoot, MachineSpec, NicSpec, boot_image
from bootos.lab.vendor_tools.redfish_path import CD, SYSTEM
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.process import run

MAC = "52:54:00:b0:07:5a"
DEADLINE_S = 3000.0
KEXEC = Path("/sbin/kexec")
GUEST_KEXEC = "/run/kexec"
_ISO = "bootos.iso"
_RUN_KEXEC = b"""#!/bin/sh
here=${0%/*}
exec "$here/ld-linux-x86-64.so.2" --library-path "$here" "$here/kexec" "$@"
"""


class BootPath(msgspec.Struct, frozen=True, kw_only=True):
    """One way: `user_network` is QEMU's own with its TFTP, else a namespace with `bootos serve --netboot`. `virtual`: a
    BMC is told by Redfish to boot once from an ISO that the server has; the machine's usual boot is PXE."""

    name: str
    title: str
    firmware: Literal["bios", "uefi", "uefi-secure"] = "bios"
    boot: Literal["pxe", "http", "cdrom", "usb", "virtual", "kexec"] = "pxe"
    user_network: bool = False
    boot_loader: Literal["native", "ipxe"] = "native"


PATHS = (
    BootPath(name="bios-pxe", title="BIOS PXE, pxelinux", user_network=True),
    BootPath(name="bios-ipxe", title="BIOS iPXE"),
    BootPath(name="uefi-pxe", title="UEFI PXE, shim and GRUB", firmware="uefi"),
    BootPath(name="secure-pxe", title="UEFI PXE, Secure Boot", firmware="uefi-secure"),
    BootPath(name="uefi-http", title="UEFI HTTP Boot, shim and GRUB", firmware="uefi", boot="http"),
    BootPath(name="secure-http", title="UEFI HTTP Boot, Secure Boot", firmware="uefi-secure", boot="http"),
    BootPath(name="uefi-ipxe", title="UEFI iPXE", firmware="uefi", boot_loader="ipxe"),
    BootPath(name="iso-bios", title="ISO as CD, BIOS", boot="cdrom"),
    BootPath(name="iso-secure", title="ISO as USB stick, Secure Boot", firmware="uefi-secure", boot="usb"),
    BootPath(
        name="iso-virtual",
        title="ISO as virtual medium of a BMC, UEFI",
        firmware="uefi",
        boot="virtual",
        user_network=True,
    ),
    BootPath(name="kexec", title="kexec from a running Linux", boot="kexec"),
)


class PathResult(msgspec.Struct, frozen=True, kw_only=True):
    """One boot. `loaded_bytes`: over the network until it was registered (kexec: of the second kernel's part), and from
    the medium; `cpu_s`: QEMU's process, which is firmware, loader and guest."""

    name: str
    title: str
    memory_mib: int
    registered: bool
    seconds: float
    cpu_s: float
    loaded_bytes: int
    pxe_mac: str = ""
    lockdown: bool = False
    ended: str = ""
    accelerator: str = ""


def find_path(name: str) -> BootPath:
    """The path of that name. Raises BootosError."""
    for path in PATHS:
        if path.name == name:
            return path
    raise BootosError(f"there is no boot path {name!r}", hint=", ".join(path.name for path in PATHS))


def measure_path(
    path: BootPath, image: Path, directory: Path, *, memory_mib: int = 1024, deadline_s: float = DEADLINE_S
) -> PathResult:
    """Boot once. A machine that does not register by the deadline is a result too: `registered` is false."""
    needs: tuple[Any, ...] = ("machine", "pxe", "uefi") if path.firmware != "bios" else ("machine", "pxe")
    with Scenario(directory, needs=needs) as scenario:
        network = None if path.user_network else scenario.add_network()
        if network is None:
            server = scenario.start_server(boot_files=image)
        else:
            server = scenario.start_netboot_server(
                network, boot_files=image, arguments=("--boot-loader", path.boot_loader)
            )
        spec = MachineSpec(
            name="machine",
            firmware=path.firmware,
            memory_mib=memory_mib,
            nics=(NicSpec(mac=MAC, boot=True),),
            boot=_build_boot(path, image, server),
            medium=str(_build_medium(image, directory, server)) if path.boot in ("cdrom", "usb") else "",
            redfish=RedfishSpec(virtual_cd=True) if path.boot == "virtual" else None,
        )
        machine = scenario.add_machine(spec, tftp_root=server.tftp_root, network=network)
        if path.boot == "virtual":
            _build_medium(image, server.data / "files", server)
            _boot_virtual_medium(machine, f"{server.url}/bootos/files/{_ISO}")
        else:
            machine.power_on()
        ended, after, began = "", 0, (0.0, 0.0, 0)
        try:
            if path.boot == "kexec":
                machine.serial.wait_until_registered(deadline_s)
                _prepare_kexec(machine, server)
                began = (machine.elapsed_s(), machine.read_cpu_s(), _read_loaded(machine))
                after = len(machine.serial.lines)
                machine.type_text(f"KEXEC={GUEST_KEXEC}/run sh /run/kexec.sh --now\n")
            line = machine.serial.wait_until_registered(deadline_s, after=after)
            seconds, cpu_s = line.at_s, line.cpu_s
        except BootosError as error:
            ended, seconds, cpu_s = str(error), machine.elapsed_s(), machine.read_cpu_s()
        loaded = _read_loaded(machine)
        if path.boot in ("cdrom", "usb", "virtual"):
            loaded += sum((image / name).stat().st_size for name in ("vmlinuz", "initrd.img"))
        return PathResult(
            name=path.name,
            title=path.title,
            memory_mib=memory_mib,
            registered=not ended,
            seconds=round(seconds - began[0], 1),
            cpu_s=round(cpu_s - began[1], 1),
            loaded_bytes=loaded - began[2],
            pxe_mac="" if ended else _read_pxe_mac(server, spec.identity.serial),
            lockdown=not ended and path.firmware == "uefi-secure" and _is_locked_down(machine),
            ended=ended,
            accelerator=machine.accelerator,
        )


def _build_boot(
    path: BootPath, image: Path, server: LabServer
) -> Literal["pxe", "http", "cdrom", "usb"] | KernelBoot:
    # The BMC's medium is for one boot. The usual boot is another one, so that the test sees which of them was taken.
    if path.boot == "virtual":
        return "pxe"
    if path.boot != "kexec":
        return path.boot
    append = f"{SERIAL_CONSOLE} SERVER_ADDR={server.guest_url}"
    return boot_image(image, append=append)


def _build_medium(image: Path, directory: Path, server: LabServer) -> Path:
    medium = directory / _ISO
    argv = [sys.executable, "-m", "bootos.cli", "image", "iso", str(image), "--output", str(medium)]
    run([*argv, "--server", server.guest_url, "--append", SERIAL_CONSOLE], timeout_s=600)
    return medium


def _boot_virtual_medium(machine: Machine, url: str) -> None:
    """What a person tells the BMC, with curl or on its page: the medium, to boot from it once, power on."""
    assert machine.redfish is not None and machine.spec.redfish is not None
    override = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd"}
    for method, path, body in (
        ("POST", f"{CD}/Actions/VirtualMedia.InsertMedia", {"Image": url}),
        ("PATCH", SYSTEM, {"Boot": override}),
        ("POST", f"{SYSTEM}/Actions/ComputerSystem.Reset", {"ResetType": "On"}),
    ):
        status, answer = ask_redfish(machine.redfish, machine.spec.redfish, method, path, body)
        if status >= 300:
            raise BootosError(f"{method} {path}: {status} {answer}")


def _prepare_kexec(machine: Machine, server: LabServer) -> None:
    """What a person does in the running system before; the program is this host's, as BootOS has none."""
    (server.data / "files/kexec.tar").write_bytes(_pack_kexec())
    url = f"{server.guest_url}/bootos"
    for command in (
        f"mkdir {GUEST_KEXEC} && curl -fsS {url}/files/kexec.tar | tar -x -C {GUEST_KEXEC}",
        f"curl -fsS -o /run/kexec.sh {url}/netboot/kexec.sh",
    ):
        code, said = run_in_shell(machine, command)
        if code != 0:
            raise BootosError(f"{command}: {said}")
    open_shell(machine)


def _pack_kexec() -> bytes:
    """kexec with this host's libraries, which another system has in other versions; `run` starts it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in (str(KEXEC), *re.findall(r"(/\S+) \(0x", run(["ldd", KEXEC]).stdout)):
            archive.add(Path(path).resolve(), arcname=Path(path).name)
        script = tarfile.TarInfo("run")
        script.mode, script.size = 0o755, len(_RUN_KEXEC)
        archive.addfile(script, io.BytesIO(_RUN_KEXEC))
    return packed.getvalue()


def _read_loaded(machine: Machine) -> int:
    return read_capture(machine.capture_path).received_bytes if machine.capture_path.exists() else 0


def _read_pxe_mac(server: LabServer, serial: str) -> str:
    """The card that the server knows the machine to have booted from."""
    shown = Operator(server.data, server.network).command("machine", "show", serial)
    nics = (shown.get("inventory") or {}).get("nics") or []
    return next((str(nic["mac"]) for nic in nics if nic.get("is_pxe")), "")


def _is_locked_down(machine: Machine) -> bool:
    """Whether the guest's kernel knows that Secure Boot is on and locked itself down."""
    return run_in_shell(machine, "dmesg | grep -q 'locked down from EFI Secure Boot'")[0] == 0
