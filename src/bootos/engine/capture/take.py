"""Take a capture of this machine: all readers and drivers read it, and what they read of it is recorded. Nothing is
changed and no array is started; secrets are masked; it has a bound.

Called by `bootos-agent capture`, and by the agent when the server asks for one.
"""

import platform
from pathlib import Path

from bootos import __version__
from bootos.drivers.contract import Machine
from bootos.engine.capture.anonymous import disguise
from bootos.engine.capture.lookrunner import LookRunner
from bootos.engine.capture.unsecret import mask_bytes, mask_text
from bootos.engine.savedstate import read_saved
from bootos.hardware.capture import (
    Capture,
    RecordingRunner,
    RecordingTree,
    ToolOutput,
    build_capture,
    decode_file,
    encode_file,
    pack_capture,
    pack_part,
)
from bootos.hardware.inventory import collect_from
from bootos.hardware.pciids import PLACES, keep_names
from bootos.masking import Masker
from bootos.process import Runner, run
from bootos.wire.inventory import PciDevice

MOST_BYTES = 2 * 1024 * 1024  # of a packed capture
_TOLD = 20  # of what is left out
# What drivers read of the tree themselves.
_FILES = ("proc/mdstat", "proc/self/mountinfo", "proc/swaps", "proc/sys/kernel/osrelease")
_FOLDERS = ("sys/class/nvme-subsystem", "sys/class/firmware-attributes")
_MOST_DEPTH = 5


def take_capture(
    root: Path = Path("/"),
    run: Runner = run,
    *,
    about: str = "",
    is_anonymous: bool = False,
    masker: Masker | None = None,
    pxe_mac: str | None = None,
) -> Capture:
    """Read this machine. What `masker` knows is masked wherever it stands."""
    look = LookRunner(run)
    tree, runner = RecordingTree(root), RecordingRunner(look, root)
    inventory = collect_from(tree, runner, pxe_mac=pxe_mac)
    machine = Machine(run=runner, root=root)
    machine.only_looks = True
    saved = read_saved(machine, inventory)
    for path in _FILES:
        tree.read_bytes(path)
    for folder in _FOLDERS:
        _read_folder(tree, folder, _MOST_DEPTH)
    capture = build_capture(tree, runner)
    capture.about = about
    capture.taken_at = inventory.collected_at
    capture.agent_version = __version__
    capture.architecture = platform.machine()
    _add_names(tree, inventory.pci, capture)
    capture.left_out += [
        f"`{command}` was not run: it is not known to change nothing." for command in look.refused
    ]
    mask_secrets(capture, masker or Masker())
    if is_anonymous:
        capture = disguise(capture, inventory, saved)
    return fit(capture)


def _read_folder(tree: RecordingTree, folder: str, depth: int) -> None:
    for name in tree.names(folder):
        path = f"{folder}/{name}"
        if tree.read_bytes(path) is None and depth:
            _read_folder(tree, path, depth - 1)


def _add_names(tree: RecordingTree, devices: list[PciDevice], capture: Capture) -> None:
    """The lines of pci.ids that are this machine's: another host may have none, or others."""
    text = next(filter(None, map(super(RecordingTree, tree).read_bytes, PLACES)), b"")
    ids = {(device.vendor_id, device.device_id) for device in devices}
    if text:
        capture.files[PLACES[0]] = keep_names(text, ids).decode(errors="replace")


def mask_secrets(capture: Capture, masker: Masker) -> None:
    """Mask what tools print and files hold of passwords, keys and SNMP communities, by what the line, key or element is
    called; and what `masker` knows. Of a command that was not run stays what it is, and not what it would have read."""
    for output in capture.tools:
        output.stdout, output.stderr = (
            mask_text(masker.text(text)) for text in (output.stdout, output.stderr)
        )
        output.argv = [masker.text(word) for word in output.argv]
        if output.input is not None:
            output.input = mask_text(masker.text(output.input)) if output.returncode is not None else None
        output.files = {path: _mask_file(text, masker) for path, text in output.files.items()}
    capture.files = {path: _mask_file(text, masker) for path, text in capture.files.items()}
    capture.links = {path: masker.text(target) for path, target in capture.links.items()}
    capture.left_out = [masker.text(sentence) for sentence in capture.left_out]


def _mask_file(text: str, masker: Masker) -> str:
    """A file of a capture, which may be binary."""
    raw = decode_file(text)
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        plain = "\0"
    if not any(ord(letter) < 9 for letter in plain):
        return encode_file(mask_text(masker.text(plain)).encode())
    known = masker.text(raw.decode("latin-1")).encode("latin-1", "replace")
    masked = mask_bytes(known)
    return text if masked == raw else encode_file(masked)


def fit(capture: Capture, most_bytes: int = MOST_BYTES) -> Capture:
    """Leave out the largest outputs and files until the packed capture fits, and say which.

    Each is packed alone once, so that the whole is packed a few times and not once for each that is left out. Alone it
    takes more than its share of the whole: what stays is measured again, and each further time more is left out.
    """
    parts: list[tuple[int, str, str | ToolOutput]] = []
    tries = 0
    while (size := len(pack_capture(capture))) > most_bytes and (capture.tools or capture.files):
        parts = parts or _list_parts(capture)
        tries += 1
        left = sum(part_bytes for part_bytes, _, _ in parts)
        room = left * most_bytes // size * max(0, 9 - tries) // 8
        gone = set[str | int]()
        while parts and left > room:
            part_bytes, title, part = parts.pop()
            left -= part_bytes
            gone.add(part if isinstance(part, str) else id(part))
            capture.left_out.append(
                f"{title} is left out: the capture would be larger than {most_bytes} bytes."
            )
        capture.tools = [output for output in capture.tools if id(output) not in gone]
        capture.files = {path: text for path, text in capture.files.items() if path not in gone}
    if len(capture.left_out) > _TOLD:
        more = len(capture.left_out) - _TOLD
        capture.left_out = [*capture.left_out[:_TOLD], f"And {more} more."]
    return capture


def _list_parts(capture: Capture) -> list[tuple[int, str, str | ToolOutput]]:
    """(bytes when packed alone, title, file or output) of all that may be left out, the largest last."""
    parts: list[tuple[int, str, str | ToolOutput]] = [
        (len(pack_part(output)), f"The output of `{' '.join(output.argv)}`", output)
        for output in capture.tools
    ]
    parts += [(len(pack_part(text)), f"/{path}", path) for path, text in capture.files.items()]
    return sorted(parts, key=lambda part: part[:2])
