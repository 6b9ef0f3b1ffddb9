"""How a text, a path and a table of bytes are written without the words that tell whose machine it is: the same word is
replaced by the same one wherever it stands, however it is written, and by one of the same length and the same kinds of
characters, so that tables of fixed width and SMBIOS stay what they are. Makers stay: the first half of a MAC, the first
digits of a world wide name.

MACs, UUIDs, world wide names, addresses and e-mail addresses are found by their form, other words by being known. Who
has no key cannot lead a word back.
"""

import hmac
import ipaddress
import json
import re
from collections.abc import Iterator

from bootos.engine.capture.wordtable import WordTable

SHORTEST = 3  # characters of a word that is replaced
_ANYWHERE = 8  # characters of one that is replaced in other words, too; a shorter one is a word of its own
_IN_TABLES = 5  # characters of one that is replaced in tables of bytes, too
ID_DIGITS = 12  # of a number that is replaced however its digits are grouped
_HEX = "0123456789abcdefABCDEF"
# Names that say nothing of anybody.
_USUAL = frozenset(
    {
        "admin", "administrator", "any", "anonymous", "array", "boot", "callback", "data", "debian", "disk", "efi",
        "esp", "guest", "home", "localhost", "mnt", "none", "oem", "opt", "operator", "public", "pv", "raid", "root",
        "service", "srv", "swap", "sys", "system", "tmp", "ubuntu", "user", "usr", "var",
    }
)  # fmt: skip
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?:[0-9a-f]{8}:){3}[0-9a-f]{8}"
# MACs, world wide names and InfiniBand's addresses: 6, 8 and 20 pairs.
_PAIRS = "|".join(
    rf"[0-9a-fA-F]{{2}}(?:{sign}[0-9a-fA-F]{{2}}){{5,19}}(?!{sign}?[0-9a-fA-F])" for sign in (":", "-")
)
_WWN = (
    r"(?<=naa\.)[0-9a-fA-F]{16,32}|(?<=eui\.)[0-9a-fA-F]{16,32}"
    r"|(?<=0x)[1-356][0-9a-fA-F]{15}(?:[0-9a-fA-F]{16})?\b"
)
_GROUPED = r"[0-9a-fA-F]{7}-[0-9a-fA-F]-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}(?![-0-9a-fA-F])"  # of sas3ircu
_FORMS = re.compile(
    rf"(?<![0-9a-fA-F])(?P<uuid>{_UUID})(?![0-9a-fA-F])"
    rf"|(?:(?<![0-9a-zA-Z])|(?<=\\[a-z]))(?P<id>{_PAIRS}|{_GROUPED})"
    rf"|(?P<wwn>{_WWN})|(?P<own>fe80::[0-9a-f:]+)"
)
_RUN = re.compile(rf"(?:[0-9a-fA-F][-:. ]?){{{ID_DIGITS},}}")
_NUMBER = re.compile(r"(?:0x|naa\.|eui\.)?[0-9a-fA-F]+(?:[-:. ][0-9a-fA-F]+)*", re.IGNORECASE)
_TYPE = re.compile(r"type\W{1,4}$", re.IGNORECASE)
# The kernel's name of an NVMe drive without one of its own: maker, serial number, model, each in digits of its bytes.
_NVME = re.compile(r"(?<=nvme\.)([0-9a-f]{4}-)((?:[0-9a-f]{2}){1,20})(?=-)")
# A world wide name as smartctl's JSON has it.
_NUMBERS = re.compile(
    r'("naa"\s{0,9}:\s{0,9}(\d{1,2})\s{0,9},\s{0,9})?("oui"\s{0,9}:\s{0,9}(\d{1,8})\s{0,9},\s{0,9}"(?:ext_)?id"'
    r"\s{0,9}:\s{0,9})(\d{1,13})"
)
# What a switch says of itself and its port, as networkctl prints it: bytes of which the first says what they are.
_BYTES = re.compile(r'("Raw(?:ChassisID|PortID)"\s{0,9}:\s{0,9}\[)([\d,\s]{1,2000})(?=\])')
_SENTENCE = re.compile(
    r'("(?:PortDescription|SystemDescription)"\s{0,9}:\s{0,9})("(?:[^"\\\n]|\\.){1,4000}")'
)
_KEPT_OF_IPV6 = 4  # digits: fe80, fd00
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IP = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w|-\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[23][0-9a-f]{3}|f[cdef][0-9a-f]{2}):[0-9a-f:]{2,36}(?![\w:])", re.IGNORECASE
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_KEPT_NETWORKS = ("0.", "127.", "255.")
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_FIBRE_CHANNEL = ("1000", "2000", "2001", "2100", "2101")  # what stands before the maker's digits
_LSI_VOLUME = "600508e000000000"  # what the names of all volumes of LSI's IR firmware begin with


class Disguise:
    """Replaces words; `words` are the known ones, `ids` known numbers of hexadecimal digits, `kept` what stays."""

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
        self._ids = {plain for text in ids if len(plain := strip_id(text)) >= ID_DIGITS}
        self._words = {
            word
            for word in words
            if _is_telling(word)
            and word not in kept
            and not (_NUMBER.fullmatch(word) and strip_id(word) in self._ids)
        }
        self._twins = {text: self._rename(text) for text in self._ids}
        for old, new in list(self._twins.items()):
            if len(old) == 32:
                self._twins.setdefault(_turn(bytes.fromhex(old)).hex(), _turn(bytes.fromhex(new)).hex())
            if old.startswith(_LSI_VOLUME) and len(old) == 32:  # sas3ircu prints the rest, its bytes turned
                self._twins[bytes.fromhex(old[16:])[::-1].hex()] = bytes.fromhex(new[16:])[::-1].hex()
        self._addresses = {text for text in addresses if ":" not in text}
        self._longer = addresses - self._addresses  # of IPv6
        known = self._words | self._longer
        self._digits = {
            word.encode(errors="replace").hex(): self.word(word).encode(errors="replace").hex()
            for word in self._words
            if len(word) >= _IN_TABLES
        }  # those of a word's bytes
        self._escaped = {json.dumps(word)[1:-1]: json.dumps(self.word(word))[1:-1] for word in self._words}
        for word in known:
            self._escaped.pop(word, None)
        self._exact = {word for word in known if not _is_of_any_case(word)} | set(self._escaped)
        self._loose = {word.translate(_LOWER) for word in known if _is_of_any_case(word)} | set(self._digits)
        loose = self._loose | {word.translate(_LOWER) for word in self._exact}
        self._long = WordTable(loose, _ANYWHERE)
        self._short = WordTable((word for word in loose if len(word) < _ANYWHERE), SHORTEST)
        self._numbers = WordTable(self._twins, ID_DIGITS)
        self._binary = {old.decode("latin-1"): new.decode("latin-1") for old, new in self._list_binary()}
        self._bytes = WordTable(self._binary, _IN_TABLES)

    def text(self, text: str) -> str:
        """The text with its words replaced."""
        text = _SENTENCE.sub(self._replace_sentence, text)
        text = _BYTES.sub(self._replace_bytes, text)
        text = _NUMBERS.sub(self._replace_numbers, text)
        text = _NVME.sub(self._replace_nvme, text)
        text = _FORMS.sub(self._replace_form, text)
        text = _MAIL.sub(lambda found: self.word(found[0]), text)
        text = self.path(text)
        text = _IPV6.sub(self._replace_ipv6, text)
        return _IP.sub(
            lambda found: found[0] if found[0] in self._kept - self._addresses else self.address(found[0]),
            text,
        )

    def path(self, path: str) -> str:
        """A path with the known words replaced: a UUID in one may be the name of what all machines have."""
        path = _RUN.sub(self._replace_run, path)
        low = path.translate(_LOWER)

        def is_known(start: int, end: int) -> bool:
            return path[start:end] in self._exact or low[start:end] in self._loose

        def is_alone(start: int, end: int) -> bool:
            return is_known(start, end) and not (
                _is_sign(path[start - 1 : start]) or _is_sign(path[end : end + 1])
            )

        path = self._long.replace(
            low, lambda start, end: self._replace_known(path[start:end]), path, is_known
        )
        low = path.translate(_LOWER)
        return self._short.replace(
            low, lambda start, end: self._replace_known(path[start:end]), path, is_alone
        )

    def data(self, data: bytes) -> bytes:
        """Bytes with the words replaced, in the forms that they have there."""
        text = data.decode("latin-1")
        return self._bytes.replace(text, lambda start, end: self._binary[text[start:end]]).encode("latin-1")

    def word(self, word: str) -> str:
        """The replacement of a word: digits for digits, letters for letters."""
        stream = self._draw("word", word.lower(), len(word))
        return "".join(_choose(letter, number) for letter, number in zip(word, stream, strict=True))

    def number(self, text: str) -> str:
        """The replacement of a number of hexadecimal digits, however it is written."""
        plain = strip_id(text)
        return _lay(text, self._twins.get(plain) or self._rename(plain))

    def address(self, text: str) -> str:
        """The replacement of an IPv4 address; those of one network stay in one."""
        if text.startswith(_KEPT_NETWORKS):
            return text
        parts = text.split(".")
        return ".".join(self._replace_octet(parts[: place + 1]) for place in range(4))

    def _rename(self, plain: str) -> str:
        """The twin of a number: the digits of its maker stay, and one that begins with another keeps doing so."""
        if len(plain) == 32 and plain.startswith("6"):
            return self._rename(plain[:16]) + self._draw_digits(plain)[16:]
        kept = _count_kept(plain)
        return plain[:kept] + self._draw_digits(plain)[kept:]

    def _draw_digits(self, plain: str) -> str:
        return "".join(f"{number % 16:x}" for number in self._draw("digits", plain, len(plain)))

    def _replace_longer(self, text: str) -> str:
        """The replacement of an IPv6 address."""
        plain = strip_id(text)
        return _lay(text, plain[:_KEPT_OF_IPV6] + self._draw_digits(plain)[_KEPT_OF_IPV6:])

    def _replace_ipv6(self, found: re.Match[str]) -> str:
        is_own = is_address(found[0]) and found[0] not in self._kept
        return self._replace_longer(found[0]) if is_own else found[0]

    def _replace_octet(self, parts: list[str]) -> str:
        (number,) = self._draw("octet", ".".join(parts), 1)
        low, high = {1: (1, 9), 2: (10, 99)}.get(len(parts[-1]), (100, 223 if len(parts) == 1 else 249))
        return str(low + number % (high - low + 1))

    def _replace_form(self, found: re.Match[str]) -> str:
        if _TYPE.search(found.string, max(0, found.start() - 12), found.start()):
            return found[0]  # of a partition: all machines have the same ones
        if found.lastgroup == "own":
            return self._replace_longer(found[0])
        return self.number(found[0]) if set(strip_id(found[0])) - set("0f") else found[0]

    def _replace_known(self, word: str) -> str:
        if word in self._longer:
            return self._replace_longer(word)
        if digits := self._digits.get(word.lower()):
            return _lay(word, digits)
        return self._escaped.get(word) or self.word(word)

    def _replace_run(self, found: re.Match[str]) -> str:
        """Known numbers in a run of digits, whatever stands between them."""
        run = found[0]
        places = [place for place, letter in enumerate(run) if letter in _HEX]
        plain = "".join(run[place] for place in places).lower()

        def is_wanted(start: int, end: int) -> bool:
            """Numbers of a table that stand beside each other are no groups of one."""
            groups = run[places[start] : places[end - 1] + 1].split(" ")
            return len(groups) <= 4 or all(len(group) <= 2 for group in groups[1:-1])

        parts: list[str] = []
        done = 0
        for start, end in self._numbers.find(plain, is_wanted):
            here, there = places[start], places[end - 1] + 1
            parts += (run[done:here], _lay(run[here:there], self._twins[plain[start:end]]))
            done = there
        return "".join((*parts, run[done:]))

    def _replace_sentence(self, found: re.Match[str]) -> str:
        try:
            said = json.loads(found[2], strict=False)
        except ValueError:
            return found[1] + '""'
        return found[1] + json.dumps(self.word(said), ensure_ascii="\\u" in found[2])

    def _replace_bytes(self, found: re.Match[str]) -> str:
        said = [int(number) for number in found[2].replace(",", " ").split()]
        raw = bytes(number for number in said[1:] if number < 256)
        is_text = raw.isascii() and all(number >= 32 for number in raw)
        new = self.text(raw.decode()).encode() if is_text else bytes.fromhex(self.number(raw.hex()))
        return found[1] + ",".join(map(str, (*said[:1], *new)))

    def _replace_numbers(self, found: re.Match[str]) -> str:
        """Of `naa`, `oui` and `id` the last: the others say who made it."""
        oui, own = int(found[4]), int(found[5])
        if found[2] is not None:
            plain, size = f"{int(found[2]) % 16:x}{oui % 2**24:06x}{own % 2**36:09x}", 9
        else:
            plain, size = f"{oui % 2**24:06x}{own % 2**40:010x}", 10
        return f"{found[1] or ''}{found[3]}{int(self.number(plain)[-size:], 16)}"

    def _replace_nvme(self, found: re.Match[str]) -> str:
        raw = bytes.fromhex(found[2])
        said = raw.decode("ascii", "replace")
        serial = said.strip(" \0")
        if "\ufffd" in said or not serial:
            return found[1] + self.number(found[2])
        return found[1] + said.replace(serial, self.word(serial), 1).encode().hex()

    def _draw(self, kind: str, text: str, count: int) -> bytes:
        """As many numbers of 0 to 255 as wanted, that only the key and the text decide."""
        found = b""
        while len(found) < count:
            said = f"{kind} {len(found)} {text}".encode(errors="surrogatepass")
            found += hmac.digest(self._key, said, "sha256")
        return found[:count]

    def _list_binary(self) -> Iterator[tuple[bytes, bytes]]:
        """Words as they stand in tables: as text, with the bytes of each pair exchanged (ATA), as a number."""
        for word in (text for text in self._words if len(text) >= _IN_TABLES):
            old, new = (text.encode(errors="surrogatepass") for text in (word, self.word(word)))
            yield old, new
            for left, right in ((old.ljust(20), new.ljust(20)), (old.rjust(20), new.rjust(20))):
                if len(left) == 20:
                    yield _swap(left), _swap(right)
        for text in self._ids:
            if len(text) % 2:
                continue
            old, new = bytes.fromhex(text), bytes.fromhex(self._twins[text])
            yield from ((old, new), (_swap(old), _swap(new)), (old[::-1], new[::-1]))
            if len(old) == 16:  # SMBIOS has the first three fields of a UUID the other way round
                yield _turn(old), _turn(new)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def strip_id(text: str) -> str:
    """The digits of a number, without what stands before and between them."""
    plain = re.sub(r"^(0x|naa\.|eui\.)", "", text.lower())
    return re.sub(r"[^0-9a-f]", "", plain)


def _is_telling(word: str) -> bool:
    """Whether a word may be replaced wherever it stands: no usual one, and none that may be something else as well."""
    if (
        word.strip().lower() in _USUAL
        or len(word) < SHORTEST
        or len(set(word)) < (3 if len(word) >= _IN_TABLES else 2)
    ):
        return False
    return not word.isdigit() or len(word) >= 8


def _is_of_any_case(word: str) -> bool:
    return any(letter.isdigit() for letter in word) and len(word) >= 5


def _is_sign(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _lay(text: str, digits: str) -> str:
    """These digits, written as the text is."""
    rest = iter(digits)
    begin = len(text) - len(re.sub(r"^(0x|naa\.|eui\.)", "", text, flags=re.IGNORECASE))
    is_upper = any(letter in "ABCDEF" for letter in text[begin:])
    shown = (next(rest) if letter in _HEX else letter for letter in text[begin:])
    return text[:begin] + "".join(letter.upper() if is_upper else letter for letter in shown)


def _count_kept(plain: str) -> int:
    """How many digits of a number say who made it: of a MAC, and of IEEE's names by their first digit (NAA)."""
    if plain.startswith(_LSI_VOLUME):
        return 16
    if len(plain) == 16 and plain.startswith(_FIBRE_CHANNEL):
        return 10
    return {12: 6, 16: 7}.get(len(plain), 7 if len(plain) == 32 and plain[0] in "56" else 0)


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
