"""The `erase` and `nvme` sections: mistakes that need no machine. Called by `check.read_template`."""

from bootos.errors import Problem
from bootos.template.diskcheck import check_select
from bootos.template.model import EraseWanted, NamespaceWanted, NvmeWanted, Template
from bootos.template.place import Places
from bootos.template.size import parse_size


def check_erase(template: Template, places: Places) -> list[Problem]:
    problems: list[Problem] = []
    if template.nvme:  # no driver carries it out yet
        problems.append(Problem(path="nvme", message="is not supported by this version", hint="leave it out"))
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
        if nvme.sector_bytes is None and not nvme.namespaces and not places.raw("nvme", index, "namespaces"):
            problems.append(Problem(path=at, message="asks for nothing: give sector_bytes or namespaces"))
        problems += _check_namespaces(nvme, at, places.indices(NamespaceWanted, "nvme", index, "namespaces"))
    return problems


def _check_namespaces(nvme: NvmeWanted, at: str, indices: list[int]) -> list[Problem]:
    problems: list[Problem] = []
    rest_at = ""
    for index, namespace in zip(indices, nvme.namespaces, strict=False):
        here = f"{at}.namespaces[{index}].size"
        if rest_at:
            problems.append(Problem(path=here, message=f"nothing can follow {rest_at}, which takes the rest"))
        try:
            if parse_size(namespace.size).rest:
                rest_at = here
        except ValueError as cause:
            problems.append(Problem(path=here, message=str(cause)))
    return problems
