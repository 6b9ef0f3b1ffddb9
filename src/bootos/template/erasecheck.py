"""The `erase` and `nvme` sections: mistakes that need no machine. Called by `check.read_template`."""

from fractions import Fraction

from bootos.errors import Problem, Problems
from bootos.template.diskcheck import check_select
from bootos.template.model import EraseWanted, NvmeWanted, Template
from bootos.template.place import Places
from bootos.template.raid import list_sections
from bootos.template.size import parse_size


def check_erase(template: Template, places: Places) -> list[Problem]:
    """The problems of the sections `erase` and `nvme` that show without a machine."""
    problems = Problems()
    for index, wanted in zip(places.indices(EraseWanted, "erase"), template.erase, strict=False):
        at = f"erase[{index}]"
        problems += check_select(wanted.select, at, places.raw("erase", index, "select"))
        if wanted.select.array is not None:
            message = "an array is not a drive: its drives can be erased, each for itself"
            problems.complain(f"{at}.select.array", message)
        if wanted.passes > 1 and wanted.method not in ("overwrite", "auto"):
            problems.complain(f"{at}.passes", f"{wanted.method} has no passes: they count for overwrite")
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
    problems = Problems()
    several = wanted.select.drives is not None
    if several and str(wanted.select.drives).strip() != "all":
        hint = "mean the drive by serial, model, size or path; drives: all is every drive that fits those"
        problems.complain(f"{at}.select.drives", "the numbers of drives change with the namespaces", hint)
    for key in ("wwn", "array"):
        if getattr(wanted.select, key) is not None:
            message = f"{key} means a namespace, not the drive: mean it by serial, model, size or path"
            problems.complain(f"{at}.select.{key}", message)
    share = Fraction(0)
    for number, item in enumerate(wanted.namespaces):
        place = f"{at}.namespaces[{number}]"
        size = problems.parse(f"{place}.size", parse_size, item.size)
        if size is None:
            continue
        share += size.share or 0
        if size.rest and number + 1 < len(wanted.namespaces):
            problems.complain(f"{place}.size", "only the last namespace can have the rest")
        if item.name is not None and several:
            problems.complain(f"{place}.name", "the same name for a namespace of each of several drives")
    if share > 1:
        problems.complain(f"{at}.namespaces", "the percentages are more than 100%")
    return problems


def _check_names(template: Template) -> list[Problem]:
    """Names of namespaces are among those of arrays: `disks` selects both alike."""
    problems = Problems()
    sections = list_sections(template.raid)
    seen = {array.name: f"{at}.arrays" for at, section in sections for array in section.arrays}
    for index, wanted in enumerate(template.nvme):
        for number, item in enumerate(wanted.namespaces):
            place = f"nvme[{index}].namespaces[{number}].name"
            if item.name is not None and item.name in seen:
                problems.complain(place, f"{item.name!r} is in {seen[item.name]} already")
            elif item.name is not None:
                seen[item.name] = place
    return problems
