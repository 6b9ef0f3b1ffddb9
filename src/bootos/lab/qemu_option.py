"""An option of QEMU's command line is one word, `head,key=value,...`; a comma in a value is doubled. Pure."""


def quote(value: str) -> str:
    """A value inside QEMU's comma-separated options: a comma is doubled."""
    return value.replace(",", ",,")


def build_option(head: str, **values: object) -> str:
    """`head,key=value,...` without the empty values."""
    parts = [head, *(f"{key}={quote(str(v))}" for key, v in values.items() if v not in ("", 0))]
    return ",".join(parts)
