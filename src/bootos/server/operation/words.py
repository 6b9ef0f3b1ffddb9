"""The words of a boot, from the server's side (`wire.words`): its nonce, and what it draws of a registration."""

from bootos.server.context import Context
from bootos.server.fault import UnusableError
from bootos.wire import v2, words

PURPOSE = "bootos nonce"


def answer_commitment(context: Context, said: v2.KeyCommitment) -> v2.KeyNonce:
    """The nonce for a commitment to a boot key. It follows from the commitment, so nothing is stored. Raises
    UnusableError."""
    if not 0 < len(said.boot_id) <= 128 or words.parse_hex(said.commitment) is None:
        raise UnusableError("the boot id or the commitment is none")
    server_key = context.vault.derive_key(PURPOSE)
    return v2.KeyNonce(nonce=words.build_nonce(server_key, said.boot_id, said.commitment))


def draw_registered(context: Context, said: v2.Registration, *, secure: bool) -> str:
    """The words of a boot that registers, which its console shows too unless somebody is in the middle. Empty where it
    did not register over TLS, or cannot draw them. Raises UnusableError for a key that is none."""
    if not (secure and said.key and context.tls.fingerprints):
        return ""
    key = words.parse_hex(said.key)
    if key is None:
        raise UnusableError("the boot key is none", hint="64 lower-case hexadecimal digits")
    # Both CAs count while one follows the other. An agent that saw neither saw another server: its words differ.
    known = context.tls.fingerprints
    server_key = context.vault.derive_key(PURPOSE)
    return words.draw_words(
        ca_sha256=said.ca_sha256 if said.ca_sha256 in known else known[0],
        boot_id=said.boot_id,
        sn=said.sn,
        key=key,
        nonce=words.build_nonce(server_key, said.boot_id, words.commit(said.boot_id, key)),
    )
