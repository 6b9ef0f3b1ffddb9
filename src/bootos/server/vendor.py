"""The names under which one vendor's machines are known: what SMBIOS tables and people write. Data, and a look-up.

A new name is one more word here; an operator adds one to a line of the support list (`--alias`) instead.
"""

VENDORS: tuple[tuple[str, ...], ...] = (
    ("Dell", "Dell Inc.", "Dell EMC", "Dell Technologies", "Dell Computer Corporation"),
    ("HPE", "HP", "Hewlett-Packard", "Hewlett Packard", "Hewlett Packard Enterprise", "Hewlett-Packard Company"),
    ("Huawei", "Huawei Technologies Co., Ltd."),
    ("xFusion", "xFusion Digital Technologies Co., Ltd."),
    ("Inspur", "Inspur Corporation", "Inspur Electronic Information Industry Co., Ltd.", "IEIT SYSTEMS"),
    ("Lenovo", "Lenovo Group Limited", "IBM", "IBM Corp.", "IBM Corporation"),
    ("Supermicro", "Super Micro", "Super Micro Computer", "Super Micro Computer, Inc."),
    ("H3C", "New H3C Technologies Co., Ltd.", "Hangzhou H3C Technologies Co., Ltd."),
    ("Sugon", "Dawning Information Industry Co., Ltd."),
    ("Cisco", "Cisco Systems", "Cisco Systems Inc", "Cisco Systems, Inc."),
    ("Fujitsu", "Fujitsu Limited", "Fujitsu Siemens", "Fujitsu Technology Solutions"),
    ("Quanta", "Quanta Computer Inc", "Quanta Cloud Technology Inc."),
    ("Intel", "Intel Corporation"),
    ("ASUS", "ASUSTeK", "ASUSTeK COMPUTER INC."),
    ("Gigabyte", "Gigabyte Technology Co., Ltd.", "Giga Computing"),
    ("Foxconn", "Hon Hai", "Hon Hai Precision Ind. Co., Ltd."),
)  # fmt: skip


def fold(name: str) -> str:
    """A name as it is compared: blanks and case do not matter."""
    return " ".join(name.split()).casefold()


_KNOWN = {fold(name): group for group in VENDORS for name in group}


def find_names(name: str) -> tuple[str, ...]:
    """All names of this vendor, folded; the one given comes first."""
    folded = fold(name)
    others = (fold(other) for other in _KNOWN.get(folded, ()))
    return tuple(dict.fromkeys((folded, *others)))
