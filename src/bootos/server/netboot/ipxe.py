"""A menu as an iPXE script. Pure. Commands and settings: ipxe.org/cmd, ipxe.org/cfg.

`netX` is the card that iPXE used last, which is the one it booted from.
"""

from bootos.server.netboot.entry import BootEntry, BootMenu

OWN_MAC = "${netX/mac:hexhyp}"
_DOLLAR = "set dollar:hex 24"  # the only way in iPXE to write a $ before a brace


def render_ipxe(menu: BootMenu, *, per_machine: bool = False, tftp_url: str = "tftp://${next-server}") -> str:
    """The script. One that is not `per_machine` first looks for the machine's own, `ipxe/01-<mac>` beside it.

    `tftp_url` stands before paths, which are relative to the TFTP root."""
    lines = [
        "#!ipxe",
        "# Written by the BootOS server; edit pxelinux.cfg/default or the PXE template.",
        _DOLLAR,
    ]
    if not per_machine:
        lines += [f"chain --autofree ipxe/01-{OWN_MAC} || goto start"]
    lines += [":start"]
    if len(menu.entries) > 1:
        lines += ["menu What to boot"]
        lines += [f"item {_name(index)} {_quote(entry.title)}" for index, entry in enumerate(menu.entries)]
        default = next(i for i, entry in enumerate(menu.entries) if entry.name == menu.default)
        timeout = f"--timeout {menu.timeout_ds * 100} " if menu.timeout_ds else ""
        chosen = "goto ${chosen}"
        lines += [f"choose {timeout}--default {_name(default)} chosen && {chosen} || goto {_name(default)}"]
    for index, entry in enumerate(menu.entries):
        lines += [f":{_name(index)}", *_render_entry(entry, tftp_url)]
    lines += [":failed", "echo That did not load; trying again in 10 seconds", "sleep 10", "goto start"]
    return "\n".join(lines) + "\n"


def _name(index: int) -> str:
    return f"entry{index}"


def _render_entry(entry: BootEntry, tftp_url: str) -> list[str]:
    if entry.kind == "local":
        return ["iseq ${platform} efi && exit ||", "sanboot --no-describe --drive 0x80 || goto failed"]
    if entry.kind == "unusable":
        return [f"echo {_quote(entry.name)}: {_quote(entry.problem)}", "goto failed"]
    names = [f"initrd{index or ''}.img" for index, _ in enumerate(entry.initrds)]
    words = [f"initrd={name}" for name in names]  # on UEFI the kernel asks the firmware for these names
    words += [_quote(entry.arguments)] if entry.arguments else []
    words += [f"BOOTIF=01-{OWN_MAC}"] if entry.bootif else []
    lines = ["imgfree", f"kernel {_locate(entry.kernel, tftp_url)} {' '.join(words)} || goto failed"]
    for name, initrd in zip(names, entry.initrds, strict=True):
        lines.append(f"initrd --name {name} {_locate(initrd, tftp_url)} || goto failed")
    return [*lines, "boot || goto failed"]


def _quote(text: str) -> str:
    return text.replace("${", "${dollar}{")


def _locate(place: str, tftp_url: str) -> str:
    """A URL of a kernel or initrd; pxelinux's `HOST::PATH` is TFTP from another host."""
    host, mark, path = place.partition("::")
    if mark:
        return f"tftp://{host}/{path.lstrip('/')}" if host else f"{tftp_url}/{path.lstrip('/')}"
    return _quote(place) if "://" in place else f"{tftp_url}/{place.lstrip('/')}"
