"""What a machine is known by, and what else it is or was called.

What a name is, is asked of a copy of the rule (`wire.identity`, `wire.filler`) as it was with this revision: whoever
comes from revision 0005 gets the same rows, whatever the rule says by then.
"""

import itertools
import json
import re
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0005 to 0006. What a machine is known by is said anew when it registers."""
    op.add_column("machine", sa.Column("known_by", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_alias_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alias"),
        sa.UniqueConstraint("machine_id", "key", name="uq_alias_machine_id_key"),
    )
    op.create_index("ix_alias_key", "alias", ["key"])
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, sn_key, inventory FROM machine WHERE inventory IS NOT NULL")
    )
    for row in rows.all():
        known_by = find_known_by(row.sn_key, json.loads(row.inventory))
        connection.execute(
            sa.text("UPDATE machine SET known_by = :known_by WHERE id = :id"),
            {"known_by": known_by, "id": row.id},
        )


def find_known_by(name: str, inventory: object) -> str:
    """What a name is, by how it is written, if it is no placeholder; a serial number only if the inventory tells it."""
    kind = _find_kind(name)
    if kind != "serial":
        return kind
    system = inventory.get("system") if isinstance(inventory, dict) else None
    serial = system.get("serial") if isinstance(system, dict) else None
    return kind if isinstance(serial, str) and serial.strip().casefold() == name else ""


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
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


def _find_kind(name: str) -> str:
    """What a name is, by how it is written; empty for a placeholder."""
    if not name or _drop_placeholder(name) is None:
        return ""
    if _UUID.fullmatch(name.strip()):
        return "uuid" if _drop_unset_uuid(name) is not None else ""
    return "mac" if _MAC.fullmatch(name.strip()) else "serial"


def _drop_placeholder(text: str | None) -> str | None:
    """None for what says nothing: "To Be Filled By O.E.M.", "(null)", "Not Specified", zeros, dots; else the text."""
    if text is None:
        return None
    text = " ".join(text.split())
    return None if _says_nothing(text) else text


def _drop_unset_uuid(text: str | None) -> str | None:
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
