"""The `firmware` section: mistakes that need no machine. Called by `check.read_template`."""

import re

from bootos.errors import Problem, Problems
from bootos.template.firmware import FirmwarePackage, FirmwareWanted, find_hops, find_method, parse_from
from bootos.template.place import Places

_MANY = ("raid", "nic", "drive")  # components of which a machine may have several


def check_firmware(wanted: list[FirmwareWanted], places: Places) -> list[Problem]:
    """The problems of the section `firmware` that show without a machine."""
    problems = Problems()
    seen: dict[tuple[object, ...], str] = {}
    for index, item in zip(places.indices(FirmwareWanted, "firmware"), wanted, strict=False):
        at = f"firmware[{index}]"
        select = item.select
        same = (item.component, *((select.model, select.device, select.slot) if select else ()))
        if same in seen:
            hint = "give one item several packages to go by way of other versions"
            problems.complain(f"{at}.component", f"is the same component as {seen[same]}", hint)
        seen.setdefault(same, at)
        if select is not None and item.component not in _MANY:
            message = f"a machine has one {item.component}: there is nothing to select"
            problems.complain(f"{at}.select", message, "leave it out")
        problems += _check_packages(item, at, places.indices(FirmwarePackage, "firmware", index, "packages"))
        problems += _check_method(item, at)
    return problems


def _check_packages(item: FirmwareWanted, at: str, indices: list[int]) -> list[Problem]:
    problems = Problems()
    if item.package is None and not item.packages:
        message = "is required: without a package the version cannot be had"
        problems.complain(f"{at}.package", message, "package and sha256, or packages")
    if item.package is not None:
        problems += check_address(item.package, f"{at}.package")
        if item.packages:
            problems.complain(f"{at}.package", "is given as well as packages", "put it into packages")
        if item.sha256 is None:
            message = "is required: a package is not used without it"
            problems.complain(f"{at}.sha256", message, "sha256sum prints it")
    else:
        for name, value in (("sha256", item.sha256), ("size_bytes", item.size_bytes), ("from", item.from_)):
            if value is not None:
                problems.complain(f"{at}.{name}", "belongs to a package", "put it there")
    problems += _check_from(item.from_, f"{at}.from")
    for index, hop in zip(indices, item.packages, strict=False):
        place = f"{at}.packages[{index}]"
        problems += check_address(hop.package, f"{place}.package")
        problems += _check_from(hop.from_, f"{place}.from")
    if item.packages and item.version not in {hop.version for hop in find_hops(item)}:
        hint = f"they bring {', '.join(hop.version for hop in item.packages)}"
        problems.complain(f"{at}.version", f"no package brings {item.version!r}", hint)
    return problems


def check_address(url: str, path: str) -> list[Problem]:
    """Where a package is. The message never holds the URL: it may hold a password."""
    if re.fullmatch(r"https?://[^/\s]+/\S+", url) or re.fullmatch(r"file:///\S+", url):
        return []
    hint = "as https://server/bios.bin, or file:///opt/firmware/bios.bin in a layer"
    return [Problem(path=path, message="is not an http, https or file URL", hint=hint)]


def _check_from(value: str | list[str] | None, path: str) -> list[Problem]:
    try:
        parse_from(value)
    except ValueError as cause:
        return [Problem(path=path, message=str(cause))]
    return []


def _check_method(item: FirmwareWanted, at: str) -> list[Problem]:
    problems = Problems()
    method = find_method(item)
    if method == "flashrom":
        if item.component != "bios":
            problems.complain(f"{at}.method", f"flashrom writes the chip of the BIOS, not a {item.component}")
        if not item.may_brick:
            message = "flashrom writes the chip itself: a wrong image, or a power cut, and the board is dead"
            problems.complain(f"{at}.method", message, "may_brick: true says that this is known")
    elif item.may_brick:
        problems.complain(f"{at}.may_brick", "is only for method: flashrom")
    if method != "package":
        for name in ("format", "options", "done_codes", "reboot_codes"):
            if getattr(item, name) is not None and (name, method) != ("options", "flashrom"):
                message = f"is only for method: package, not {method}"
                problems.complain(f"{at}.{name}", message, "leave it out")
    both = sorted(set(item.done_codes or []) & set(item.reboot_codes or []))
    if both:
        problems.complain(f"{at}.reboot_codes", f"{', '.join(map(str, both))} is in done_codes too")
    return problems
