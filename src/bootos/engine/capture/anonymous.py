"""A capture that does not tell whose machine it is: `identifier` says which words tell it, `disguise` how a text is
written without them; here every text, path and table of the capture is.

The key is forgotten, so nobody can lead a word back.
"""

import secrets

import msgspec

from bootos.engine.capture.disguise import Disguise
from bootos.engine.capture.identifier import find_identifiers
from bootos.hardware.capture import Capture, ToolOutput, decode_file, encode_file, is_binary
from bootos.hardware.smbios import parse_table, split_dump
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

_TABLE = "sys/firmware/dmi/tables/DMI"


def disguise(capture: Capture, inventory: Inventory, saved: SavedState | None = None) -> Capture:
    """The capture without what tells whose machine it is. `inventory` and `saved` are what was understood of it."""
    found = find_identifiers(capture, inventory, saved)
    mask = Disguise(secrets.token_bytes(32), found.words, found.ids, found.addresses, found.kept)
    return apply(mask, capture)


def apply(mask: Disguise, capture: Capture) -> Capture:
    """The capture with every text and table replaced."""
    return msgspec.structs.replace(
        capture,
        is_anonymous=True,
        about=mask.text(capture.about),
        files={mask.path(path): _write_file(path, text, mask) for path, text in capture.files.items()},
        links={mask.path(path): mask.path(target) for path, target in capture.links.items()},
        directories=[mask.path(path) for path in capture.directories],
        left_out=[mask.text(text) for text in capture.left_out],
        tools=[
            ToolOutput(
                argv=[mask.text(word) for word in output.argv],
                input=output.input,
                returncode=output.returncode,
                stdout=mask.text(output.stdout),
                stderr=mask.text(output.stderr),
                files={path: _write_file(path, text, mask) for path, text in output.files.items()},
            )
            for output in capture.tools
        ],
    )


def _write_file(path: str, text: str, mask: Disguise) -> str:
    if not is_binary(text):
        return mask.text(text)
    raw = mask.data(decode_file(text))
    return encode_file(_write_strings(raw, mask) if path == _TABLE else raw)


def _write_strings(dump: bytes, mask: Disguise) -> bytes:
    """An SMBIOS table with its strings replaced as other texts are: there are short words, too."""
    head, table = split_dump(dump)
    written = bytearray(table)
    place = 0
    for entry in parse_table(table):
        begin = place + len(entry.data)
        end = table.index(b"\0\0", begin)
        for said in table[begin:end].split(b"\0"):
            new = mask.text(said.decode("latin-1")).encode("latin-1", "replace")
            if len(new) == len(said):
                written[begin : begin + len(new)] = new
            begin += len(said) + 1
        place = end + 2
    return head + bytes(written)
