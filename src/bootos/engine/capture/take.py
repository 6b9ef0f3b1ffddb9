"""Take a capture of this machine: all readers and drivers read it, and what they read of it is recorded. Nothing is
changed and no array is started; secrets are masked; it has a bound.

Called by `bootos-agent capture`, and by the agent when the server asks for one.
"""

import platform
import re
from pathlib import Path

import msgspec

from bootos import __version__
from bootos.drivers.contract import Machine
from bootos.engine.capture.anonymous import disguise
from bootos.engine.capture.lookrunner import LookRunner
from bootos.engine.savedstate import read_saved
from bootos.hardware.capture import Capture, RecordingRunner, RecordingTree, build_capture, pack_capture
from bootos.hardware.inventory import collect_from
from bootos.hardware.pciids import PLACES, keep_names
from bootos.masking import MASK, Masker
from bootos.process import Runner, run
from bootos.wire.inventory import PciDevice

MOST_BYTES = 2 * 1024 * 1024  # of a packed capture
_TOLD = 20  # of what is left out
# What drivers read of the tree themselves.
_FILES = ("proc/mdstat", "proc/self/mountinfo", "proc/swaps", "proc/sys/kernel/osrelease")
_FOLDERS = ("sys/class/nvme-subsystem", "sys/class/firmware-attributes")
_MOST_DEPTH = 5
# `SNMP Community String   : public`, `SetupPassword=...`, `"Password": "..."`, `<NewPassword>...</NewPassword>`
_SECRET = r"(?:community|passwor[dt]|passwd|passphrase|pwd|secret|private ?key|api ?key|salt|hash)"
_LINE = re.compile(
    rf"^([^\n:=<>\"]*{_SECRET}[^\n:=<>\"]*[:=][ \t]*)(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE
)
_JSON = re.compile(rf'("[^"\n]*{_SECRET}[^"\n]*"\s*:\s*")((?:[^"\\\n]|\\.)+)(")', re.IGNORECASE)
_XML = re.compile(rf"(<(\w*{_SECRET}\w*)[^<>]*>)([^<>\n]+)(</\2>)", re.IGNORECASE)
_HARMLESS = re.compile(
    r"^(Bad Password Threshold|.*\b(enabled|disabled|not set|none|yes|no|true|false|null)\"?,?$)", re.I
)


def take_capture(
    root: Path = Path("/"),
    run: Runner = run,
    *,
    about: str = "",
    is_anonymous: bool = False,
    secrets: tuple[str, ...] = (),
    pxe_mac: str | None = None,
) -> Capture:
    """Read this machine. `secrets` are masked wherever they stand."""
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
    mask_secrets(capture, secrets)
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


def mask_secrets(capture: Capture, secrets: tuple[str, ...] = ()) -> None:
    """Mask what tools print of passwords, keys and SNMP communities, by what the line, key or element is called; and
    `secrets`."""
    masker = Masker(secrets)
    for output in capture.tools:
        output.stdout, output.stderr = (
            mask_text(masker.text(text)) for text in (output.stdout, output.stderr)
        )
        output.argv = [masker.text(word) for word in output.argv]
        output.files = {path: mask_text(masker.text(text)) for path, text in output.files.items()}


def mask_text(text: str) -> str:
    """The text with the values of what is called a secret masked."""
    text = _LINE.sub(lambda found: found[0] if _HARMLESS.match(found[0].strip()) else found[1] + MASK, text)
    text = _JSON.sub(
        lambda found: found[0] if _HARMLESS.match(found[2]) else found[1] + MASK + found[3], text
    )
    return _XML.sub(lambda found: found[1] + MASK + found[4], text)


def fit(capture: Capture, most_bytes: int = MOST_BYTES) -> Capture:
    """Leave out the largest outputs and files until the packed capture fits, and say which."""
    while len(pack_capture(capture)) > most_bytes and (capture.tools or capture.files):
        output = max(capture.tools, key=lambda item: len(msgspec.json.encode(item)), default=None)
        path = max(capture.files, key=lambda name: len(capture.files[name]), default="")
        if output is not None and len(msgspec.json.encode(output)) >= len(capture.files.get(path, "")):
            capture.tools.remove(output)
            title = f"The output of `{' '.join(output.argv)}`"
        else:
            del capture.files[path]
            title = f"/{path}"
        capture.left_out.append(f"{title} is left out: the capture would be larger than {most_bytes} bytes.")
    if len(capture.left_out) > _TOLD:
        more = len(capture.left_out) - _TOLD
        capture.left_out = [*capture.left_out[:_TOLD], f"And {more} more."]
    return capture
