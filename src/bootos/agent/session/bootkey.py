"""The key of this boot and the words that are drawn of it (`wire.words`), kept for as long as the boot lasts.

A key is shown to one server, after one nonce: who could have it shown twice would choose the second nonce so that the
words fit. So what was drawn is kept before the key is sent, and an agent that is started again says the same.
"""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bootos.files import write_atomically
from bootos.wire import v2, words

if TYPE_CHECKING:
    from bootos.agent.session.client import Client

FILE_NAME = "boot-key.json"


class BootKey(msgspec.Struct, frozen=True, kw_only=True):
    """The CA that the server of this boot is known by, the key, and the server's nonce; empty: not asked yet."""

    ca_sha256: str
    key: str
    nonce: str = ""


def read_boot_key(directory: Path) -> BootKey | None:
    """What this boot has kept; None where it has nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=BootKey)
    except (OSError, msgspec.DecodeError):
        return None


def keep_authority(directory: Path, ca_sha256: str) -> BootKey:
    """From now on this boot takes nobody for its server whom this CA does not vouch for. Raises OSError."""
    kept = read_boot_key(directory)
    if kept is not None and kept.ca_sha256 == ca_sha256:
        return kept
    made = BootKey(ca_sha256=ca_sha256, key=secrets.token_hex(words.KEY_BYTES))
    _write(directory, made)
    return made


def draw_for(client: "Client", directory: Path, *, boot_id: str, sn: str) -> tuple[str, str]:
    """The key to register with, and the words that the server will show. Asks for the nonce where this boot has none.
    Both empty: the server does not know the question. Raises Unreachable, OSError."""
    from bootos.agent.session.client import Refused

    kept = keep_authority(directory, client.ca_sha256)
    key = bytes.fromhex(kept.key)
    if not kept.nonce:
        try:
            nonce = client.ask_nonce(v2.KeyCommitment(boot_id=boot_id, commitment=words.commit(boot_id, key)))
        except Refused as error:
            if error.status == 404:
                return "", ""
            raise
        kept = msgspec.structs.replace(kept, nonce=nonce)
        _write(directory, kept)
    drawn = words.draw_words(ca_sha256=kept.ca_sha256, boot_id=boot_id, sn=sn, key=key, nonce=kept.nonce)
    return kept.key, drawn


def _write(directory: Path, kept: BootKey) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    content = json.dumps(msgspec.to_builtins(kept)).encode()
    write_atomically(directory / FILE_NAME, content, mode=0o600, durable=False)  # in memory
