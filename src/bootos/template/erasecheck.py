"""The `erase` and `nvme` sections: mistakes that need no machine. Called by `check.read_template`."""

from bootos.errors import Problem
from bootos.template.diskcheck import check_select
from bootos.template.model import EraseWanted, NvmeWanted, Template
from bootos.template.place import Places


def check_erase(template: Template, places: Places) -> list[Problem]:
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
    return problems
