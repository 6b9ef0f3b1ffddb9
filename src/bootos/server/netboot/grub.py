"""A menu as a `grub.cfg` for Debian's signed network GRUB, which may load no modules. Pure. Manual: GRUB 2, chapter 6.

Debian 12's reads TFTP only, Debian 13's HTTP too, from any port as `(http,HOST:PORT)`: by itself when it was loaded by
TFTP, through the firmware when it was loaded by UEFI HTTP Boot. What cannot be read from its URL is read by its path
from where GRUB itself was loaded: the TFTP root has a `bootos` for that.
"""

import re
from urllib.parse import urlsplit

from bootos.server.netboot.entry import BootEntry, BootMenu

_PLAIN = re.compile(r"[A-Za-z0-9_./:,=@%+()-]+")
_FIND_MAC = """\
if regexp --set 1:a --set 2:b --set 3:c --set 4:d --set 5:e --set 6:f \
'^(..):(..):(..):(..):(..):(..)' "$net_default_mac"; then
  set mac=01-$a-$b-$c-$d-$e-$f
  set bootif=BOOTIF=$mac
fi
"""
_FIND_OWN = """\
if [ -n "$mac" -a -s "$prefix/$mac" ]; then
  source "$prefix/$mac"
else
"""


def render_grub(menu: BootMenu, *, per_machine: bool = False) -> str:
    """The text of a `grub.cfg`. One that is not `per_machine` first looks for the machine's own, `01-<mac>` beside
    it."""
    text = "# Written by the BootOS server; edit pxelinux.cfg/default or the PXE template.\n"
    if not per_machine:
        text += _FIND_MAC + _FIND_OWN
    text += f"set timeout={-(-menu.timeout_ds // 10)}\nset default={quote(menu.default)}\n"
    text += "".join(_render_entry(entry) for entry in menu.entries)
    return text + ("" if per_machine else "fi\n")


def quote(word: str) -> str:
    """A word as GRUB's script has to write it, so that it is read as it is (GRUB manual, chapter 6)."""
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"


def _render_entry(entry: BootEntry) -> str:
    head = f"menuentry {quote(entry.title)} --id {quote(entry.name)} {{\n"
    if entry.kind == "local":
        return head + "  exit\n}\n"
    if entry.kind == "unusable":
        return head + f"  echo {quote(f'{entry.name}: {entry.problem}')}\n  sleep 30\n}}\n"
    words = "".join(f" {quote(word)}" for word in entry.arguments.split())
    words += " $bootif" if entry.bootif else ""
    lines = [f"echo {quote(f'Loading {entry.title} ...')}"]
    lines += _load("linux", [entry.kernel], words)
    if entry.initrds:
        lines += _load("initrd", list(entry.initrds), "")
    return head + "".join(f"  {line}\n" for line in lines) + "}\n"


def _load(command: str, places: list[str], words: str) -> list[str]:
    """The command with the files at their URLs; if that fails, from where GRUB came; if that fails, a new start."""
    ways = list(
        dict.fromkeys(
            tuple(files) for files in ([_locate(place) for place in places], [_find_path(p) for p in places])
        )
    )
    tries = [f"{command} {' '.join(files)}{words}" for files in ways if all(files)]
    lines = []
    for index, line in enumerate(tries):
        lines.append(f"{'  ' * index}if ! {line}; then")
    lines.append(f"{'  ' * len(tries)}echo 'That did not load; the machine restarts in 30 seconds'")
    lines.append(f"{'  ' * len(tries)}sleep 30")
    lines.append(f"{'  ' * len(tries)}reboot")
    lines += [f"{'  ' * index}fi" for index in reversed(range(len(tries)))]
    return lines


def _locate(place: str) -> str:
    """The place as a word for GRUB's script; empty: GRUB cannot read from there."""
    if "://" not in place:
        host, mark, path = place.rpartition("::")
        return quote(f"(tftp,{host})/{path.lstrip('/')}" if mark and host else f"/{path.lstrip('/')}")
    url = urlsplit(place)
    if url.scheme not in ("http", "tftp") or not url.hostname:
        return ""
    default = 80 if url.scheme == "http" else 69
    port = f":{url.port}" if url.port not in (None, default) else ""
    query = f"?{url.query}" if url.query else ""
    return quote(f"({url.scheme},{url.hostname}{port}){url.path}{query}")


def _find_path(place: str) -> str:
    path = urlsplit(place).path if "://" in place else ""
    return quote(path) if path else ""
