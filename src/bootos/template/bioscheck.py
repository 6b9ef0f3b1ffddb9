"""The `bios` section: mistakes that need no machine. Called by `check.read_template`.

Whether this machine has the setting, and whether it takes the value, is found by the drivers.
"""

from bootos.errors import Problem, Problems
from bootos.template.bios import Bios


def check_bios(bios: Bios) -> list[Problem]:
    """The problems of the section `bios` that show without a machine."""
    problems = Problems()
    if bios.secure_boot == "enabled" and bios.boot_mode == "legacy":
        message = "does not go with boot_mode: legacy"
        problems.complain("bios.secure_boot", message, "secure boot needs boot_mode: uefi")
    seen: dict[str, str] = {}
    for name, value in bios.vendor.items():
        at = f"bios.vendor.{name}"
        if not isinstance(name, str):
            problems.complain(at, "must be the name of a setting as text", f'put it in quotes: "{name}"')
            continue
        if name != name.strip() or not name.isprintable():
            message = (
                "is not the name of a setting: it has spaces around it, or characters that cannot be seen"
            )
            problems.complain(at, message)
        if isinstance(value, str) and not value.isprintable():
            problems.complain(at, "has a line break or another character that cannot be seen in its value")
        if name.casefold() in seen:
            problems.complain(at, f"is given already as {seen[name.casefold()]!r}")
        seen.setdefault(name.casefold(), name)
    return problems
