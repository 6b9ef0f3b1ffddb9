"""The support list: on which hardware models jobs run in user mode, and what they may configure there.

`judge` decides and is pure; it names the criterion that failed. Asked when a machine registers (is the model known?)
and when an order is handed out (may this job run here?), by `operation.order`, `cloudboot.order` and the views.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bootos.server.store.table import Machine, Support
from bootos.server.vendor import find_names, fold
from bootos.template.version import is_within, write_version

# What a line can allow, in the order of a job, with the sections of a template that belong to it.
PARTS = {
    "firmware": ("firmware",),
    "bios": ("bios",),
    "erase": ("erase",),
    "raid": ("raid",),
    "oob": ("oob",),
    "disks": ("nvme", "disks", "volume_groups"),
    "extra": ("extra",),
    "scripts": ("scripts",),
}
SECTIONS = tuple(PARTS)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is compared with. v1 agents tell product and model apart: any of `products` may be listed."""

    vendor: str
    products: tuple[str, ...]
    bios: str = ""
    bmc: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` is empty when the model is supported and everything wanted is allowed; `remedy` says how to get on."""

    reason: str = ""
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reason


def read_model(machine: Machine) -> Model:
    """What the list is compared with, of a machine as its inventory told."""
    return Model(
        vendor=machine.vendor,
        products=(machine.product,),
        bios=machine.bios_version,
        bmc=machine.bmc_version,
    )


def read_sections(template: dict[str, Any]) -> list[str]:
    """What a template asks to be configured."""
    return [name for name, parts in PARTS.items() if any(template.get(part) for part in parts)]


def is_like(text: str, pattern: str) -> bool:
    """Whether the text fits the wildcard pattern; blanks and case do not matter. A text that is the pattern itself
    fits, brackets and all."""
    text, pattern = fold(text), fold(pattern)
    return bool(text) and bool(pattern) and (text == pattern or fnmatchcase(text, pattern))


def has_vendor(line: Support, vendor: str) -> bool:
    """Whether the line is for this vendor, under any of the names it is known by."""
    return any(is_like(name, word) for name in find_names(vendor) for word in (line.vendor, *line.aliases))


def judge(lines: Sequence[Support], model: Model, wanted: Iterable[str] = ()) -> Verdict:
    """Whether the list covers the model, and every wanted section is allowed by a line that does; if not, the reason
    and a remedy."""
    product = next((name for name in model.products if name), "")
    command = f"bootos support add --vendor {quote(model.vendor)} --product {quote(product)}"
    if not model.vendor.strip() or not product.strip():
        return Verdict(
            reason="the machine does not tell its vendor and product",
            remedy="check what its SMBIOS tells: bootos machine show MACHINE",
        )
    title = f"the model {model.vendor} / {product}"
    of_vendor = [line for line in lines if has_vendor(line, model.vendor)]
    if not of_vendor:
        reason = f"{title} is not in the support list: no line is for the vendor {model.vendor}"
        return Verdict(reason=reason, remedy=f"add the model: {command}")
    of_model = [line for line in of_vendor if any(is_like(name, line.product) for name in model.products)]
    if not of_model:
        listed = ", ".join(dict.fromkeys(line.product for line in of_vendor[:5]))
        reason = f"{title} is not in the support list, which has of this vendor: {listed}"
        return Verdict(reason=reason, remedy=f"add the model: {command}")
    covering = [line for line in of_model if find_mismatch(line, model) is None]
    if not covering:
        reasons = "; ".join(filter(None, (find_mismatch(line, model) for line in of_model)))
        return Verdict(
            reason=f"{title} is in the support list with other versions: {reasons}",
            remedy="bring the machine to one of these versions, or add a line for those it has: "
            + command
            + "".join(
                f" --{name} {quote('=' + write_version(version))}"
                for name, version in (("bios", model.bios), ("bmc", model.bmc))
                if version
            ),
        )
    allowed = {name for line in covering for name in line.allow or SECTIONS}
    missing = [name for name in wanted if name not in allowed]
    if missing:
        numbers = ", ".join(f"line {line.id}" for line in covering)
        may = ", ".join(name for name in SECTIONS if name in allowed)
        return Verdict(
            reason=f"the template asks for {', '.join(missing)}, and the support list ({numbers}) allows only "
            f"{may} for {title}",
            remedy=f"leave it out of the template, or allow it: {command} --allow {','.join(missing)}",
        )
    return Verdict()


def find_mismatch(line: Support, model: Model) -> str | None:
    """The version of the model that is outside the line's ranges, as a clause; None when all are inside."""
    for name, version, wanted in (("BIOS", model.bios, line.bios), ("BMC", model.bmc, line.bmc)):
        if not is_within(version, wanted):
            has = f"this machine's is {version}" if version else "this machine does not tell its own"
            return f"line {line.id} asks for {name} {wanted}, and {has}"
    return None


def quote(text: str) -> str:
    """The text as a shell reads it as one word, for a command that is shown to be typed."""
    return "'" + text.replace("'", "'\"'\"'") + "'"
