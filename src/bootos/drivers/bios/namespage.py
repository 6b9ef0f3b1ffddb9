"""docs/bios-settings.md, built from the data: `python -m bootos.drivers.bios.namespage`. A test keeps it fresh."""

from collections.abc import Iterator

from bootos.drivers.bios.namefile import GENERIC, Candidate, find_vendors, read_names
from bootos.template.bios import NEUTRAL_NAMES

HEAD = """# BIOS settings

What the names of a template's `bios` section ([template.md](template.md)) are called on whose machines. Written by
`python -m bootos.drivers.bios.namespage` from `src/bootos/drivers/bios/names/*.toml`: a new generation is a new line
there.

The machine's own settings decide: of a name's rows the first whose attribute the machine has is the one, whatever its
generation. Spelling is compared by letters and digits alone (`Processors.HyperThreading` is
`Processors_HyperThreading`), and a value is written as the machine writes it. After the vendor's own rows those of *any
other machine* are tried. An attribute in brackets is set together with the one before it, where the machine has it. `*`
stands for what some BIOSes append.

Any other setting is given by its own name, `bios.vendor: {NAME: VALUE}`; on a Supermicro machine with its menus where a
name is there twice (`Boot > UEFI NETWORK Drive BBS Priorities > Boot Option #1`).

## How a BIOS is reached

| driver | takes | by | told while planning | priority |
| --- | --- | --- | --- | --- |
| `bios.racadm` | Dell, with `racadm` in the image | iDRAC, in band | unknown, read-only, known dependencies | 30 |
| `bios.ilorest` | HPE, with `ilorest` | iLO, in band | all of it: types, values, limits, dependencies | 30 |
| `bios.onecli` | Lenovo, with `onecli` | XCC, in band | unknown, values, limits, known dependencies | 30 |
| `bios.sum` | Supermicro, with `saa` or `sum` | the BIOS, in band | unknown, values, limits, dependencies | 30 |
| `bios.redfish` | a BMC with Redfish | its host interface, or the LAN | all of it | 20; 5 by the LAN |
| `bios.firmware_attributes` | where the kernel has them | sysfs | unknown, values, limits | 10 |

The highest priority wins; `bios.driver` names another. A vendor's tool comes first, since it is only in an image that
somebody put it into. A vendor's machine without the tool is still taken, with priority 1 and behind all others, so that
the job can say what is missing.

What is set takes effect with the machine's next start, which is part of the job. Afterwards everything is read again; a
setting that did not take fails the job by its name.
"""


def build_page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_build_tables()])


def _build_tables() -> Iterator[str]:
    for vendor in (*find_vendors(), GENERIC):
        names = read_names(vendor)
        yield f"## {names.title}\n\nFrom: {names.source}.\n"
        yield "| name | attribute | values |\n| --- | --- | --- |"
        for name in NEUTRAL_NAMES:
            for candidate in names.names.get(name, ()):
                yield f"| `{name}` | {_show_attribute(candidate)} | {_show_values(candidate)} |"
        for depend in names.depends:
            locked = ", ".join(f"`{lock}`" for lock in depend.locks)
            yield f"\nOnly while `{depend.attribute}` is `{depend.value}` can these be set: {locked}."
        yield ""


def _show_attribute(candidate: Candidate) -> str:
    more = "".join(f" [`{other.attribute}`]" for other in candidate.also)
    return (
        f"`{candidate.attribute}`{more}"
        if candidate.attribute
        else f"the one titled *{candidate.title}*{more}"
    )


def _show_values(candidate: Candidate) -> str:
    parts = (
        f"{value}: {' or '.join(f'`{word}`' for word in words)}" for value, words in candidate.values.items()
    )
    return "; ".join(parts)


if __name__ == "__main__":
    print(build_page(), end="")
