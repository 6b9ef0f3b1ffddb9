"""The `firmware` section: mistakes that need no machine. Called by `check.read_template`."""

import re

from bootos.errors import Problem
from bootos.template.firmware import FirmwarePackage, FirmwareWanted, find_hops, find_method, parse_from
from bootos.template.place import Places

_MANY = ("raid", "nic", "drive")  # components of which a machine may have several


def check_firmware(wanted: list[FirmwareWanted], places: Places) -> list[Problem]:
    """The problems of the section `firmware` that show without a machine."""
    problems: list[Problem] = []
    seen: dict[tuple[object, ...], str] = {}
    for index, item in zip(places.indices(FirmwareWanted, "firmware"), wanted, strict=False):
        at = f"firmware[{index}]"
        select = item.select
        same = (item.component, *((select.model, select.device, select.slot) if select else ()))
        if same in seen:
            hint = "give one item several packages to go by way of other versions"
            message = f"is the same component as {seen[same]}"
            problems.append(Problem(path=f"{at}.component", message=message, hint=hint))
        seen.setdefault(same, at)
        if select is not None and item.component not in _MANY:
            message = f"a machine has one {item.component}: there is nothing to select"
            problems.append(Problem(path=f"{at}.select", message=message, hint="leave it out"))
        problems += _check_packages(item, at, places.indices(FirmwarePackage, "firmware", index, "packages"))
        problems += _check_method(item, at)
    return problems


def _check_packages(item: FirmwareWanted, at: str, indices: list[int]) -> list[Problem]:
    problems: list[Problem] = []
    if item.package is None and not item.packages:
        message = "is required: without a package the version cannot be had"
        problems.append(
            Problem(path=f"{at}.package", message=message, hint="package and sha256, or packages")
        )
    if item.package is not None:
        problems += check_address(item.package, f"{at}.package")
        if item.packages:
            message = "is given as well as packages"
            problems.append(Problem(path=f"{at}.package", message=message, hint="put it into packages"))
        if item.sha256 is None:
            message = "is required: a package is not used without it"
            problems.append(Problem(path=f"{at}.sha256", message=message, hint="sha256sum prints it"))
    else:
        for name, value in (("sha256", item.sha256), ("size_bytes", item.size_bytes), ("from", item.from_)):
            if value is not None:
                problems.append(
                    Problem(path=f"{at}.{name}", message="belongs to a package", hint="put it there")
                )
    problems += _check_from(item.from_, f"{at}.from")
    for index, hop in zip(indices, item.packages, strict=False):
        place = f"{at}.packages[{index}]"
        problems += check_address(hop.package, f"{place}.package")
        problems += _check_from(hop.from_, f"{place}.from")
    if item.packages and item.version not in {hop.version for hop in find_hops(item)}:
        message = f"no package brings {item.version!r}"
        hint = f"they bring {', '.join(hop.version for hop in item.packages)}"
        problems.append(Problem(path=f"{at}.version", message=message, hint=hint))
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
    problems: list[Problem] = []
    method = find_method(item)
    if method == "flashrom":
        if item.component != "bios":
            message = f"flashrom writes the chip of the BIOS, not a {item.component}"
            problems.append(Problem(path=f"{at}.method", message=message))
        if not item.may_brick:
            message = "flashrom writes the chip itself: a wrong image, or a power cut, and the board is dead"
            hint = "may_brick: true says that this is known"
            problems.append(Problem(path=f"{at}.method", message=message, hint=hint))
    elif item.may_brick:
        problems.append(Problem(path=f"{at}.may_brick", message="is only for method: flashrom"))
    if method != "package":
        for name in ("format", "options", "done_codes", "reboot_codes"):
            if getattr(item, name) is not None and (name, method) != ("options", "flashrom"):
                message = f"is only for method: package, not {method}"
                problems.append(Problem(path=f"{at}.{name}", message=message, hint="leave it out"))
    both = sorted(set(item.done_codes or []) & set(item.reboot_codes or []))
    if both:
        message = f"{', '.join(map(str, both))} is in done_codes too"
        problems.append(Problem(path=f"{at}.reboot_codes", message=message))
    return problems
