"""The `erase` and `nvme` sections: mistakes that need no machine. Called by `check.read_template`."""

from fractions import Fraction

from bootos.errors import Problem
from bootos.template.diskcheck import check_select
from bootos.template.model import EraseWanted, NvmeWanted, Template
from bootos.template.place import Places
from bootos.template.size import parse_size


def check_erase(template: Template, places: Places) -> list[Problem]:
    """The problems of the sections `erase` and `nvme` that show without a machine."""
    problems: list[Problem] = []
    for index, wanted in zip(places.indices(EraseWanted, "erase"), template.erase, strict=False):
        at = f"erase[{index}]"
        problems += check_select(wanted.select, at, places.raw("erase", index, "select"))
        if wanted.select.array is not None:
            message = "an array is not a drive: its drives can be erased, each for itself"
            problems.append(Problem(path=f"{at}.select.array", message=message))
        if wanted.passes > 1 and wanted.method not in ("overwrite", "auto"):
            message = f"{wanted.method} has no passes: they count for overwrite"
            problems.append(Problem(path=f"{at}.passes", message=message))
    for index, nvme in zip(places.indices(NvmeWanted, "nvme"), template.nvme, strict=False):
        at = f"nvme[{index}]"
        problems += check_select(nvme.select, at, places.raw("nvme", index, "select"))
        problems += _check_nvme(nvme, at, bool(places.raw("nvme", index, "namespaces")))
    problems += _check_names(template)
    return problems


def _check_nvme(wanted: NvmeWanted, at: str, asks_namespaces: bool) -> list[Problem]:
    if asks_namespaces == (wanted.sector_bytes is not None):
        message = (
            "asks for nothing" if not asks_namespaces else "sector_bytes and namespaces exclude each other"
        )
        hint = "give sector_bytes (each of the namespaces has its own), or namespaces"
        return [Problem(path=at, message=message, hint=hint)]
    if not asks_namespaces:
        return []
    problems: list[Problem] = []
    several = wanted.select.drives is not None
    if several and str(wanted.select.drives).strip() != "all":
        message = "the numbers of drives change with the namespaces"
        hint = "mean the drive by serial, model, size or path; drives: all is every drive that fits those"
        problems.append(Problem(path=f"{at}.select.drives", message=message, hint=hint))
    for key in ("wwn", "array"):
        if getattr(wanted.select, key) is not None:
            message = f"{key} means a namespace, not the drive: mean it by serial, model, size or path"
            problems.append(Problem(path=f"{at}.select.{key}", message=message))
    share = Fraction(0)
    for number, item in enumerate(wanted.namespaces):
        place = f"{at}.namespaces[{number}]"
        try:
            size = parse_size(item.size)
        except ValueError as cause:
            problems.append(Problem(path=f"{place}.size", message=str(cause)))
            continue
        share += size.share or 0
        if size.rest and number + 1 < len(wanted.namespaces):
            problems.append(
                Problem(path=f"{place}.size", message="only the last namespace can have the rest")
            )
        if item.name is not None and several:
            message = "the same name for a namespace of each of several drives"
            problems.append(Problem(path=f"{place}.name", message=message))
    if share > 1:
        problems.append(Problem(path=f"{at}.namespaces", message="the percentages are more than 100%"))
    return problems


def _check_names(template: Template) -> list[Problem]:
    """Names of namespaces are among those of arrays: `disks` selects both alike."""
    problems: list[Problem] = []
    seen = {array.name: "raid.arrays" for array in template.raid.arrays} if template.raid else {}
    for index, wanted in enumerate(template.nvme):
        for number, item in enumerate(wanted.namespaces):
            place = f"nvme[{index}].namespaces[{number}].name"
            if item.name is not None and item.name in seen:
                problems.append(Problem(path=place, message=f"{item.name!r} is in {seen[item.name]} already"))
            elif item.name is not None:
                seen[item.name] = place
    return problems
