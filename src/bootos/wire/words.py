"""The four words that a machine's console and the server's page show alike, unless somebody is in the middle.

A short authentication string with commitment (S. Vaudenay, "Secure communications over insecure channels based on short
authenticated strings", CRYPTO 2005). The agent draws a key for the boot and sends what `commit` makes of it; the server
answers with a nonce; only then the agent shows the key. Each end draws the words of what it saw: the server's CA, the
boot, the machine's name, the key, the nonce. A man in the middle has another CA. He must choose his nonce before he
knows the agent's key, and his key before he knows the server's nonce, so he can only guess: one chance in 2**44 with
each call that he makes.

Two rules hold that together. The agent shows a key for one CA and one nonce alone, for as long as the boot lasts; and
the server's nonce follows from the commitment, so it keeps nothing and has no second answer. Pure; both ends use it.
"""

import hashlib
import hmac
import re

from bootos.wire.wordlist import WORDS

KEY_BYTES = 32  # of a boot key, a commitment and a nonce
WORD_BITS = 11
WORD_COUNT = 4
_HEX = re.compile(r"[0-9a-f]{64}")


def parse_hex(text: str) -> bytes | None:
    """The 32 bytes of a key, a commitment, a nonce or a fingerprint, written in 64 lower-case hexadecimal digits; None
    when it is none."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def commit(boot_id: str, key: bytes) -> str:
    """What is sent of a boot key before it is shown, in hex."""
    return hashlib.sha256(b"bootos boot key\0" + encode_fields(boot_id.encode(), key)).hexdigest()


def build_nonce(server_key: bytes, boot_id: str, commitment: str) -> str:
    """The server's part, in hex: the same for the same commitment, and unknown to who does not have `server_key`."""
    fields = encode_fields(boot_id.encode(), commitment.encode())
    return hmac.digest(server_key, b"bootos nonce\0" + fields, "sha256").hex()


def draw_words(*, ca_sha256: str, boot_id: str, sn: str, key: bytes, nonce: str) -> str:
    """Four words with blanks between them. `ca_sha256`: the SHA-256 of the CA certificate (DER) that the server's own
    certificate was verified by, in hex."""
    parts = (ca_sha256, boot_id, sn, key.hex(), nonce)
    digest = hashlib.sha256(b"bootos words\0" + encode_fields(*(part.encode() for part in parts))).digest()
    return say_number(int.from_bytes(digest) >> (8 * len(digest) - WORD_BITS * WORD_COUNT), WORD_COUNT)


def say_fingerprint(sha256: str) -> str:
    """The first 88 bits of a fingerprint in hex as eight words, for people who compare it by eye or by telephone.
    Raises ValueError when it is none."""
    return say_number(int(sha256, 16) >> (256 - WORD_BITS * 8), 8)


def say_number(number: int, count: int) -> str:
    """A number of `count` times eleven bits as words, the highest bits first."""
    mask = (1 << WORD_BITS) - 1
    return " ".join(WORDS[number >> (WORD_BITS * place) & mask] for place in reversed(range(count)))


def encode_fields(*fields: bytes) -> bytes:
    """Each after its length in four bytes: what is in one field can never be taken for the next."""
    return b"".join(len(field).to_bytes(4) + field for field in fields)
