"""What any boot loader is to do: a menu of entries. `pxelinux` reads and writes it, `ipxe` and `grub` write it. Pure
data; the operator's source for all of them is a PXE file in pxelinux's language.
"""

from typing import Literal

import msgspec

Kind = Literal["linux", "local", "unusable"]


class BootEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One choice. `linux`: a kernel, its initrds and arguments, by URL or by a path below the TFTP root; `bootif`: the
    loader adds `BOOTIF=01-<mac>` of the card it booted from. `local`: the next device of the firmware's order.
    `unusable`: only pxelinux can do it, `problem` says why."""

    name: str
    title: str
    kind: Kind = "linux"
    kernel: str = ""
    initrds: tuple[str, ...] = ()
    arguments: str = ""
    bootif: bool = False
    problem: str = ""


class BootMenu(msgspec.Struct, frozen=True, kw_only=True):
    """All choices; `default` is the name of the one taken after `timeout_ds` tenths of a second."""

    entries: tuple[BootEntry, ...]
    default: str
    timeout_ds: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """What loaders other than pxelinux cannot do, each with the entry it is about."""
        return tuple(f"{entry.name}: {entry.problem}" for entry in self.entries if entry.problem)


def build_bootos_menu(public_url: str, append: str) -> BootMenu:
    """The menu that boots BootOS from the server at `public_url`, with the operator's words at the end."""
    arguments = " ".join(
        ["console=tty0 selinux=0 biosdevname=0", f"SERVER_ADDR={public_url}", *append.split()]
    )
    entry = BootEntry(
        name="bootos",
        title="BootOS",
        kernel=f"{public_url}/bootos/vmlinuz",
        initrds=(f"{public_url}/bootos/initrd.img",),
        arguments=arguments,
        bootif=True,
    )
    return BootMenu(entries=(entry,), default=entry.name, timeout_ds=30)
