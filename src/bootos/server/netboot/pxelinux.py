"""The language of pxelinux: a menu to a file in the documented form, and a file that an operator wrote to a menu.

Pure. Parsing follows the SYSLINUX manual (doc/syslinux.txt, doc/menu.txt); what has no counterpart in other loaders
becomes an entry that says so.
"""

import re

from bootos.server.netboot.entry import BootEntry, BootMenu, Kind

BOOTIF_BIT = 2  # the bit of IPAPPEND and SYSAPPEND for BOOTIF
_MENUS = ("menu.c32", "vesamenu.c32")
_KERNELS = ("KERNEL", "LINUX", "BOOT", "COM32", "PXE", "BSS", "FDIMAGE", "COMBOOT")


def render_pxelinux(menu: BootMenu) -> str:
    """The menu as a file in the documented form of `pxelinux.cfg/default`."""
    lines = ["DEFAULT menu.c32", "PROMPT 0", f"TIMEOUT {menu.timeout_ds}"]
    for entry in menu.entries:
        lines += ["", f"LABEL {entry.name}", f"MENU LABEL ^{entry.title}"]
        if entry.name == menu.default:
            lines.append("MENU DEFAULT")
        if entry.kind == "local":
            lines.append("LOCALBOOT 0")
            continue
        initrd = f"initrd={','.join(entry.initrds)} " if entry.initrds else ""
        lines += [f"KERNEL {entry.kernel}", f"APPEND {initrd}{entry.arguments}".rstrip()]
        if entry.bootif:
            lines.append("IPAPPEND 2")
    return "\n".join(lines) + "\n"


def parse_pxelinux(text: str) -> BootMenu:
    """The menu that a PXE file describes. Never raises: an entry that cannot be understood is `unusable`."""
    labels: list[tuple[str, dict[str, str]]] = []
    common: dict[str, str] = {}
    default, in_help = "", False
    for line in text.replace("\r", "\n").split("\n"):
        word, _, rest = line.strip().partition(" ")
        key, rest = word.upper(), rest.strip()
        if in_help or not key or key.startswith("#"):
            in_help = in_help and key != "ENDTEXT"
            continue
        if key == "TEXT" and rest.upper() == "HELP":
            in_help = True
        elif key == "LABEL":
            labels.append((rest, {}))
        elif key in ("DEFAULT", "ONTIMEOUT", "UI"):
            if not rest.split(" ")[0].lower().endswith(_MENUS):
                default = rest
        elif key == "MENU":
            verb, _, value = rest.partition(" ")
            if verb.upper() == "LABEL" and labels:
                labels[-1][1]["TITLE"] = value.strip().replace("^", "", 1)
            elif verb.upper() == "DEFAULT" and labels:
                default = labels[-1][0]
        else:
            (labels[-1][1] if labels else common)[key] = rest
    if not any(name == default.split(" ")[0] for name, _ in labels) and default and default != "linux":
        # `DEFAULT vmlinuz words` names a kernel, not a label.
        kernel, _, words = default.partition(" ")
        labels.insert(
            0, (kernel, {"KERNEL": kernel, "APPEND": f"{common.get('APPEND', '')} {words}".strip()})
        )
        default = kernel
    entries = tuple(_build_entry(name, common, own) for name, own in labels)
    if not entries:
        entries = (
            BootEntry(name="empty", title="nothing to boot", kind="unusable", problem="there is no LABEL"),
        )
    name = default.split(" ")[0]
    if not any(entry.name == name for entry in entries):
        name = entries[0].name
    return BootMenu(entries=entries, default=name, timeout_ds=_parse_number(common.get("TIMEOUT", "0")))


def _build_entry(name: str, common: dict[str, str], own: dict[str, str]) -> BootEntry:
    title = own.get("TITLE") or name
    append = own.get("APPEND", common.get("APPEND", ""))
    append = "" if append == "-" else append
    kernel = next((own[key] for key in _KERNELS if own.get(key)), "")
    kind, problem = _find_kind(own, kernel, append)
    if kind != "linux":
        return BootEntry(name=name, title=title, kind=kind, problem=problem)
    initrds = [word for word in own.get("INITRD", "").split(",") if word]
    words = []
    for word in append.split():
        if word.startswith("initrd="):
            initrds = [part for part in word.removeprefix("initrd=").split(",") if part]
        else:
            words.append(word)
    bits = _parse_number(own.get("SYSAPPEND") or own.get("IPAPPEND") or common.get("IPAPPEND", "0"))
    bits |= _parse_number(common.get("SYSAPPEND", "0"))
    return BootEntry(
        name=name,
        title=title,
        kernel=kernel.partition("#")[0] if kernel.startswith("http") else kernel,
        initrds=tuple(initrds),
        arguments=" ".join(words),
        bootif=bool(bits & BOOTIF_BIT),
    )


def _find_kind(own: dict[str, str], kernel: str, append: str) -> tuple[Kind, str]:
    if "LOCALBOOT" in own:
        return "local", ""
    if not kernel:
        return "unusable", "there is no KERNEL"
    program = kernel.rpartition("/")[2].lower()
    if program == "chain.c32" and re.match(r"(hd|fd)\d|boot\b|local", append):
        return "local", ""
    if program.endswith((".c32", ".com", ".cbt", ".0", ".bss", ".bin")) or program == "memdisk":
        return "unusable", f"{program} runs on pxelinux only"
    return "linux", ""


def _parse_number(text: str) -> int:
    words = text.split()
    try:
        return int(words[0], 0) if words else 0
    except ValueError:
        return 0
