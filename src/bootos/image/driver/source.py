"""A driver's source as its maker hands it out: a tar file, with an rpm spec inside or beside it.

Finds the spec and reads what of it matters before anything is built. Pure but for reading the tar; `build` calls it.
"""

import lzma
import re
import tarfile
import zlib
from pathlib import Path

import msgspec

from bootos.errors import BootosError

_MOST_SPEC_BYTES = 1_000_000


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A tar file and the spec that builds it."""

    tar: Path
    spec_name: str
    spec: str


def read_source(tar: Path, spec: Path | None = None) -> Source:
    """The source with `spec`: a file of its own, or the path of one inside the tar; None: the only one inside.
    Raises BootosError."""
    if not tar.is_file():
        raise BootosError(
            f"{tar} is no file", hint="give the driver's source as its maker packs it, as igb-5.3.2.tar.gz"
        )
    if spec is not None and spec.is_file():
        return Source(tar=tar, spec_name=spec.name, spec=spec.read_text(errors="replace"))
    try:
        with tarfile.open(tar) as archive:
            found = {
                member.name: member
                for member in archive
                if member.isfile() and member.name.endswith(".spec") and member.size <= _MOST_SPEC_BYTES
            }
            name = choose_spec(sorted(found), str(spec) if spec is not None else "", tar.name)
            content = archive.extractfile(found[name])
            text = content.read().decode(errors="replace") if content is not None else ""
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error):
        hint = "was it downloaded whole? give the driver's source as its maker packs it"
        raise BootosError(f"{tar} is no tar file, or a damaged one", hint=hint) from None
    return Source(tar=tar, spec_name=Path(name).name, spec=text)


def choose_spec(names: list[str], wanted: str, tar_name: str) -> str:
    """Which of the specs in a tar is meant: the wanted one, else the only one at the top. Raises BootosError."""
    if wanted:
        fitting = [name for name in names if name == wanted or Path(name).name == wanted]
        if not fitting:
            listed = ", ".join(names) or "none"
            raise BootosError(
                f"there is no spec {wanted}, neither as a file nor inside {tar_name} (inside: {listed})"
            )
        return min(fitting, key=lambda name: name.count("/"))
    if not names:
        raise BootosError(
            f"{tar_name} has no .spec inside",
            hint="give one with --spec; docs/kernel-drivers.md has one to start from",
        )
    depth = min(name.count("/") for name in names)
    top = [name for name in names if name.count("/") == depth]
    if len(top) > 1:
        raise BootosError(f"{tar_name} has several specs: {', '.join(top)}", hint="say which with --spec")
    return top[0]


def check_source_name(source: Source) -> None:
    """Raises BootosError when the spec names another source file than the given one. rpmbuild itself would only say
    that it cannot find the file."""
    tags = re.findall(
        r"^(name|version|release|source0?)\s*:\s*(\S+)", source.spec, re.MULTILINE | re.IGNORECASE
    )
    values: dict[str, str] = dict(
        re.findall(r"^%(?:define|global)\s+(\w+)\s+(\S+)\s*$", source.spec, re.MULTILINE)
    )
    values.update((str(tag).lower(), str(value)) for tag, value in tags)
    named = values.get("source", values.get("source0", ""))
    for _ in range(3):  # a value may name another macro
        named = re.sub(r"%\{(\w+)\}", lambda match: values.get(match[1], match[0]), named)
    expected = named.rsplit("/", 1)[-1]
    if expected and "%" not in expected and expected != source.tar.name:
        raise BootosError(
            f"{source.spec_name} unpacks {expected}, but the source is called {source.tar.name}",
            hint=f"rename it to {expected}, or change Source in the spec",
        )
