"""A capture that does not tell whose machine it is: serial numbers, MACs, WWNs, UUIDs, addresses and names are
replaced, the same word by the same one wherever it stands, and by one of the same length and the same kinds of
characters, so that tables of fixed width and SMBIOS stay what they are. Makers stay: the first half of a MAC, the first
digits of a WWN.

Which words, the inventory and the states say, by what their fields are called, and the tables of SMBIOS and md; MACs,
UUIDs, WWNs, addresses and e-mail addresses are found by their form, too, however they are written. What must stay, as a
key of JSON, the word of a command or a version, stays. Who has no key cannot lead a word back; the key is forgotten.
"""

import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from bootos.hardware.capture import Capture, ToolOutput, decode_file, encode_file
from bootos.hardware.smbios import parse_table, split_dump
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

_BASE64 = "base64:"
_SHORTEST = (
    3  # characters of a word that is replaced; one under 8 only between what is no letter and no digit
)
_IN_TABLES = 5  # characters of one that is replaced in tables of bytes, too
_WORDS = frozenset({"serial", "asset_tag", "hostname", "label", "system_name", "chassis_id", "sku_serial"})
_NAMED = frozenset(
    {"users", "accounts", "groups", "volumes", "arrays", "virtual_drives"}
)  # lists whose entries have names that somebody gave
_IDS = frozenset({"mac", "permanent_mac", "uuid", "wwn", "naa"})
_ADDRESSES = frozenset({"address", "addresses", "gateway", "netmask"})
# Names that say nothing of anybody.
_USUAL = frozenset(
    {
        "admin", "administrator", "any", "anonymous", "array", "boot", "callback", "data", "debian", "disk", "efi",
        "esp", "guest", "home", "localhost", "mnt", "none", "oem", "opt", "operator", "public", "pv", "raid", "root",
        "service", "srv", "swap", "sys", "system", "tmp", "ubuntu", "user", "usr", "var",
    }
)  # fmt: skip
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?:[0-9a-f]{8}:){3}[0-9a-f]{8}"
_MAC = r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}(?![:0-9a-fA-F])|[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5}(?![-0-9a-fA-F])"
_WWN = r"(?<=naa\.)[0-9a-fA-F]{16,32}|(?<=eui\.)[0-9a-fA-F]{16,32}|(?<=0x)[5-6][0-9a-fA-F]{15}(?:[0-9a-fA-F]{16})?\b"
_FORMS = re.compile(
    rf"(?<![0-9a-fA-F])(?:(?P<uuid>{_UUID})|(?P<mac>{_MAC}))(?![0-9a-fA-F])|(?P<wwn>{_WWN})|(?P<own>fe80::[0-9a-f:]+)"
)
# Fields that say what a machine is and not whose.
_STAY = frozenset(
    {"vendor", "product", "version", "model", "family", "firmware", "level", "state", "driver", "type", "interface",
     "transport", "privilege", "role", "component", "channel", "maker", "filesystem", "part_number", "sku"}
)  # fmt: skip
_KEY = re.compile(r'"(\w+)"\s*:|^[ \t]*(?:-[ \t]+)?(\w+)[ \t]*+[:=]', re.MULTILINE)
_TYPE = re.compile(r"type\W{1,4}$", re.IGNORECASE)
_KEPT_OF_IPV6 = 4  # digits: fe80, fd00
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IP = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w|-\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[23][0-9a-f]{3}|f[cdef][0-9a-f]{2}):[0-9a-f:]{2,36}(?![\w:])", re.IGNORECASE
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_MD_NAME = re.compile(
    r"(?:MD_NAME=|MD_DEVNAME=|^[ \t]*Name : |--homehost=| name=)([^\s:=]+)(?::([^\s:]+))?", re.MULTILINE
)
_BETWEEN = "[-:. ]?"  # the pairs of digits of an id
_KEPT_NETWORKS = ("0.", "127.", "255.")
_SERIALS = {
    1: (0x07,),
    2: (0x07, 0x08),
    3: (0x07, 0x08),
    4: (0x20, 0x21),
    17: (0x18, 0x19),
    39: (0x08, 0x09),
}  # SMBIOS
_OEM_STRINGS = 11


class Disguise:
    """Replaces words; `words` are the known ones."""

    def __init__(
        self,
        key: bytes,
        words: set[str],
        ids: set[str],
        addresses: set[str],
        kept: frozenset[str] = frozenset(),
    ) -> None:
        self._key = key
        self._kept = kept
        self._ids = {plain for text in ids if len(plain := _strip(text)) >= 12}
        self._words = {word for word in words if _is_telling(word) and word not in kept} - ids
        self._twins = {text: self.digits(text, _count_kept(text)) for text in self._ids}
        for old, new in list(self._twins.items()):
            if len(old) == 32:
                self._twins.setdefault(_turn(bytes.fromhex(old)).hex(), _turn(bytes.fromhex(new)).hex())
        self._addresses = {text for text in addresses if ":" not in text}
        self._longer = addresses - self._addresses  # of IPv6
        known = sorted(self._words | self._longer, key=len, reverse=True)
        pairs = sorted(map(_split, self._twins), key=len, reverse=True)
        parts = [rf"(?i:{_BETWEEN.join(pair)})" for pair in pairs]
        parts += [_build_part(word) for word in known]
        self._known = re.compile("|".join(parts) if parts else r"(?!)")
        self._binary = dict(self._list_binary())

    def text(self, text: str) -> str:
        """The text with its words replaced."""
        text = _FORMS.sub(self._replace_form, text)
        text = _MAIL.sub(lambda found: self.word(found[0]), text)
        text = self._known.sub(lambda found: self._replace_known(found[0]), text)
        text = _IPV6.sub(self._replace_ipv6, text)
        return _IP.sub(
            lambda found: found[0] if found[0] in self._kept - self._addresses else self.address(found[0]),
            text,
        )

    def path(self, path: str) -> str:
        """A path with the known words replaced: a UUID in one may be the name of what all machines have."""
        return self._known.sub(lambda found: self._replace_known(found[0]), path)

    def data(self, data: bytes) -> bytes:
        """Bytes with the words replaced, in the forms that they have there."""
        for old, new in self._binary.items():
            data = data.replace(old, new)
        return data

    def word(self, word: str) -> str:
        """The replacement of a word: digits for digits, letters for letters."""
        stream = self._draw("word", word.lower(), len(word))
        return "".join(_choose(letter, number) for letter, number in zip(word, stream, strict=True))

    def digits(self, text: str, kept: int) -> str:
        """The replacement of a number in hexadecimal digits, however it is written; the first `kept` digits stay."""
        plain = _strip(text)
        stream = iter(self._draw("digits", plain, len(plain)))
        shown = []
        for letter in text:
            if letter not in "0123456789abcdefABCDEF":
                shown.append(letter)
                continue
            number = next(stream)
            kept -= 1
            digit = f"{number % 16:x}"
            shown.append(letter if kept >= 0 else digit.upper() if letter.isupper() else digit)
        return "".join(shown)

    @staticmethod
    def _lay(text: str, digits: str) -> str:
        """These digits, written as the text is."""
        rest = iter(digits)
        shown = (next(rest) if letter in "0123456789abcdefABCDEF" else letter for letter in text)
        return "".join(new.upper() if old.isupper() else new for old, new in zip(text, shown, strict=True))

    def _replace_ipv6(self, found: re.Match[str]) -> str:
        return (
            self.digits(found[0], _KEPT_OF_IPV6)
            if _is_address(found[0]) and found[0] not in self._kept
            else found[0]
        )

    def address(self, text: str) -> str:
        """The replacement of an IPv4 address; those of one network stay in one."""
        if text.startswith(_KEPT_NETWORKS):
            return text
        parts = text.split(".")
        return ".".join(self._replace_octet(parts[: place + 1]) for place in range(4))

    def _replace_octet(self, parts: list[str]) -> str:
        (number,) = self._draw("octet", ".".join(parts), 1)
        low, high = {1: (1, 9), 2: (10, 99)}.get(len(parts[-1]), (100, 223 if len(parts) == 1 else 249))
        return str(low + number % (high - low + 1))

    def _replace_form(self, found: re.Match[str]) -> str:
        if _TYPE.search(found.string, max(0, found.start() - 12), found.start()):
            return found[0]  # of a partition: all machines have the same ones
        if twin := self._twins.get(_strip(found[0])):
            return self._lay(found[0], twin)
        kept = {"uuid": 0, "mac": 6, "wwn": 7, "own": _KEPT_OF_IPV6}
        return self.digits(found[0], kept[found.lastgroup or "uuid"])

    def _replace_known(self, word: str) -> str:
        if twin := self._twins.get(re.sub(r"[^0-9a-f]", "", word.lower())):
            return self._lay(word, twin)
        return self.digits(word, _KEPT_OF_IPV6) if word in self._longer else self.word(word)

    def _draw(self, kind: str, text: str, count: int) -> bytes:
        """As many numbers of 0 to 255 as wanted, that only the key and the text decide."""
        found = b""
        while len(found) < count:
            found += hmac.digest(self._key, f"{kind} {len(found)} {text}".encode(), "sha256")
        return found[:count]

    def _list_binary(self) -> Iterator[tuple[bytes, bytes]]:
        """Words as they stand in tables: as text, with the bytes of each pair exchanged (ATA), as a number."""
        for word in (text for text in self._words if len(text) >= _IN_TABLES):
            old, new = word.encode(), self.word(word).encode()
            yield old, new
            for left, right in ((old.ljust(20), new.ljust(20)), (old.rjust(20), new.rjust(20))):
                if len(left) == 20:
                    yield _swap(left), _swap(right)
        for text in self._ids:
            old, new = bytes.fromhex(text), bytes.fromhex(self.digits(text, _count_kept(text)))
            yield from ((old, new), (_swap(old), _swap(new)))
            if len(old) == 16:  # SMBIOS has the first three fields of a UUID the other way round
                yield _turn(old), _turn(new)


def disguise(capture: Capture, inventory: Inventory, saved: SavedState | None = None) -> Capture:
    """The capture without what tells whose machine it is. `inventory` and `saved` are what was understood of it."""
    words, ids, addresses = set[str](), set[str](), set[str]()
    values = [msgspec.to_builtins(inventory), saved.states if saved is not None else {}]
    for key, value in (pair for whole in values for pair in _list_texts(whole, "")):
        if key in _IDS:
            ids.add(value)
        elif key in _ADDRESSES:
            addresses.add(value.partition("/")[0])
        else:
            words.add(value)
    kept = {text for value in values for text in _list_rest(value, "")} | _list_structure(capture)
    words |= set(_list_smbios(capture.files.get("sys/firmware/dmi/tables/DMI", ""), kept))
    texts = [output.stdout for output in capture.tools]
    words |= {name for text in texts for found in _MD_NAME.findall(text) for name in found if name}
    ids = {
        _strip(text)
        for text in ids
        if re.fullmatch(r"[0-9a-fA-F:.\-]{12,}", re.sub(r"^(0x|naa\.|eui\.)", "", text))
    }
    ids = {text for text in ids if len(text) % 2 == 0 and set(text) - set("0f")}
    plain = {address for address in addresses if _is_address(address)}
    return apply(Disguise(secrets.token_bytes(32), words, ids, plain, frozenset(kept)), capture)


def apply(mask: Disguise, capture: Capture) -> Capture:
    """The capture with every text and table replaced."""

    def write(text: str) -> str:
        if text.startswith(_BASE64):
            return encode_file(mask.data(decode_file(text)))
        return mask.text(text)

    return msgspec.structs.replace(
        capture,
        is_anonymous=True,
        about=mask.text(capture.about),
        files={mask.path(path): write(text) for path, text in capture.files.items()},
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
                files={path: write(text) for path, text in output.files.items()},
            )
            for output in capture.tools
        ],
    )


def _list_texts(value: Any, key: str, above: str = "") -> Iterator[tuple[str, str]]:
    """(key, text) of everything that is to be replaced. `above` is the key of the list that holds the value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _list_texts(item, str(name), above)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _list_texts(item, key, key)
    elif isinstance(value, str) and value:
        is_name = key == "name" and above in _NAMED
        if key in _WORDS | _IDS | _ADDRESSES or is_name:
            yield key, value


def _list_rest(value: Any, key: str, above: str = "") -> Iterator[str]:
    """The texts that stay: models, versions and the like, and the words of them that could be names."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _list_rest(item, str(name), above)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _list_rest(item, key, key)
    elif isinstance(value, str) and key in _STAY:
        yield value
        yield from value.split()


def _list_structure(capture: Capture) -> set[str]:
    """Words by which the texts are read: keys, and the words of commands."""
    found: set[str] = set()
    for output in capture.tools:
        found.update(word for word in output.argv if "/" not in word)
        found.update((output.input or "").split())
        found.update(word for pair in _KEY.findall(output.stdout) for word in pair if word)
    return found


def _list_smbios(text: str, kept: set[str]) -> Iterator[str]:
    """Serial numbers and asset tags of the table, also of parts that the inventory does not have; and what its maker
    wrote in it for his own use, but for what stands in other places too."""
    table = split_dump(decode_file(text))[1] if text.startswith(_BASE64) else b""
    for entry in parse_table(table):
        for offset in _SERIALS.get(entry.type, ()):
            found = entry.raw_text(offset)
            if found and entry.text(offset):
                yield found
        if entry.type == _OEM_STRINGS:
            for found in entry.strings:
                if not any(found in other for other in kept):
                    yield found


def _is_telling(word: str) -> bool:
    """Whether a word may be replaced wherever it stands: no usual one, and none that may be something else as well."""
    if (
        word.strip().lower() in _USUAL
        or len(word) < _SHORTEST
        or len(set(word)) < (3 if len(word) >= _IN_TABLES else 2)
    ):
        return False
    return not word.isdigit() or len(word) >= 8


def _build_part(word: str) -> str:
    """How a word is found: one with digits in any case."""
    text = re.escape(word)
    if any(letter.isdigit() for letter in word) and len(word) >= 5:
        text = f"(?i:{text})"
    return text if len(word) >= 8 else rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])"


def _split(digits: str) -> list[str]:
    return [digits[place : place + 2] for place in range(0, len(digits), 2)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _strip(text: str) -> str:
    plain = re.sub(r"^(0x|naa\.|eui\.)", "", text.lower())
    return re.sub(r"[^0-9a-f]", "", plain)


def _count_kept(text: str) -> int:
    """How many digits of an id say who made it."""
    return {12: 6, 16: 7}.get(len(text), 7 if text[0] in "56" and len(text) == 32 else 0)


def _choose(letter: str, number: int) -> str:
    for letters in ("0123456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghjklmnpqrstuvwxyz"):
        if letter in letters or (letter.isascii() and letter.isalpha() and letter.isupper() == letters.isupper()
                                 and not letters.isdigit()):  # fmt: skip
            return letters[number % len(letters)]
    return letter


def _swap(data: bytes) -> bytes:
    return b"".join(bytes(reversed(data[place : place + 2])) for place in range(0, len(data), 2))


def _turn(data: bytes) -> bytes:
    return data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]
