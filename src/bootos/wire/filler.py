"""What makers of firmware leave in a field that they did not fill in: it is no value, and names no machine. Pure.

The agent asks this of what it reads of SMBIOS (`hardware.smbios`), the server of what agents of every release say that
a machine is called (`wire.identity`).
"""

import itertools
import re
import uuid

# What makers of firmware leave in a string that they did not fill in. Compared in lower case, without brackets around
# it, with blanks for underscores.
_PLACEHOLDERS = frozenset(
    """
    none|null|nil|n/a|na|not specified|not available|not applicable|not provided|not present|not settable|unspecified
    not set|not defined|not used|not assigned|tbd|default string|default|o.e.m.|oem|undefined|unknown|unknow|invalid
    empty|no dimm|no module|system manufacturer|system name|base board|baseboard|sku|family|manufacturer|vendor
    asset tag|asset-1234567890|asset tag#|no asset tag|no asset information|partnum|sernum|part number|serial number
    bad index|sku=notprovided|modelname|not support|not supported|memundefined|empty/no dimm
    """.replace("\n", "|").split("|")
)
_PLACEHOLDER_WORDS = frozenset(word.strip() for word in _PLACEHOLDERS if word.strip())
# "To be filled by O.E.M.", "To be filled on plant", "TBD by OEM", "Reserved for System Vendor"
_PROMISE = re.compile(r"(to be (filled|set|defined)|tbd|fill(ed)? by|reserved for|sku=notprovided)\b.*")
# Names of fields, with or without a number and what they are a field of: "Type2 - Board Vendor Name1", "Type1Sku0",
# "Base Board Serial Number", "A1_AssetTagNum0", "ModulePartNumber00". Machines without a login send such texts: no word
# of the repeated group is made of others of it, or the time to read one doubles with each word.
_FIELD = re.compile(
    r"((type|a|b|array) ?\d+ ?-? ?)?(channel ?[a-z]\d? )?(dimm ?[a-z]?\d* )?"
    r"((oem|default|system|base|board|motherboard|chassis|enclosure|module|dimm|product|vendor) ?)*"
    r"(serial ?(number|num|no)?|ser ?num|part ?(number|num)|asset( ?tag( ?(number|num))?)?|sku( ?number)?|family"
    r"|version|manufacturer?( ?id)?|vendor( ?name)?|product ?name|name|chassis ?location|product ?config ?id|string)"
    r"( name)?( string)?( not set)? ?\d{0,3}"
)
_FIELD_WORD = re.compile(r"[a-z]+")
_MOST_LETTERS = 128  # no placeholder has more; what is longer is read by none of these patterns

# UUIDs that BIOSes have until the maker of the board writes one: AMI's (the bytes 0, 2, 0, 3, 0, 4, ... 9, in both byte
# orders), Dell's with a service tag of blanks, and what is typed for a sample.
_UNSET_UUIDS = (
    "03000200-0400-0500-0006-000700080009",
    "00020003-0004-0005-0006-000700080009",
    "4c4c4544-0000-2010-8020-80c04f202020",
    "4c4c4544-0020-2010-8020-80c04f202020",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "12345678-1234-1234-1234-123456789012",
    "12345678-1234-1234-1234-123456789abc",
    "11111111-2222-3333-4444-555555555555",
)


def drop_placeholder(text: str | None) -> str | None:
    """None for what says nothing: "To Be Filled By O.E.M.", "(null)", "Not Specified", zeros, dots; else the text."""
    if text is None:
        return None
    text = " ".join(text.split())
    return None if _says_nothing(text) else text


def drop_unset_uuid(text: str | None) -> str | None:
    """The UUID in lower case; None where it is none, or nobody set it: all bytes the same (zeros, ones), counted up
    from 0 or 1, or what a BIOS has until the maker writes one."""
    try:
        value = uuid.UUID(text or "")
    except ValueError:
        return None
    if len(set(value.bytes)) == 1 or sorted(value.bytes) in (list(range(16)), list(range(1, 17))):
        return None
    return str(value) if str(value) not in _UNSET_UUIDS else None


def _says_nothing(text: str) -> bool:
    if len(text) > _MOST_LETTERS:
        return False
    # A text of one repeated character (0000000000, ........, XXXXXXXX, ----) is no value, and neither is "0".
    letters = set(text.lower()) - set(" -._:/")
    if (
        not letters
        or re.fullmatch(r"0x0+|(\\x20)+", text, re.IGNORECASE)
        or (len(letters) == 1 and (letters <= set("0x?*#") or (len(text) >= 8 and letters <= set("f"))))
    ):
        return True
    bare = text.strip("()[]<>{}\"'").replace("_", " ")
    low = " ".join(bare.lower().split())
    if low in _PLACEHOLDER_WORDS or low.rstrip(".") in _PLACEHOLDER_WORDS or _PROMISE.fullmatch(low):
        return True
    if _is_counted(low.rstrip(".")):
        return True
    spaced = " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", bare).lower().split())
    if _FIELD.fullmatch(spaced) is None:
        return False
    # One word alone may be a value ("Version 2"); nobody is called Manufacturer.
    return len(_FIELD_WORD.findall(spaced)) > 1 or spaced.startswith("manufacturer")


def _is_counted(text: str) -> bool:
    """Whether it is a run of digits in their order, five at least, as a maker types who has no number."""
    digits = re.match(r"\d*", text)
    assert digits is not None
    run, rest = digits[0], text[len(digits[0]) :]
    return (
        len(run) >= 5
        and run[0] in "01"
        and all((int(before) + 1) % 10 == int(after) for before, after in itertools.pairwise(run))
        and "abcdef".startswith(rest)
    )
