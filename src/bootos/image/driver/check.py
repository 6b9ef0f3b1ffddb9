"""Whether modules fit a kernel, decided before they are added: release, symbols, their versions, licence, signature.

The kernel refuses to load a module for any of these; an image that is booted first says it too late. Pure: `add` reads
the files and calls this.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bootos.errors import Problem
from bootos.image.driver.module_file import ModuleFile

GPL = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
"""Licences the kernel counts as compatible with its own (include/linux/license.h)."""
LAYOUT = "module_layout"
SHOWN_SYMBOLS = 5


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that the kernel or one of its modules offers. `module` is empty: the kernel itself."""

    version: int
    module: str = ""
    is_gpl_only: bool = False
    namespace: str = ""


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an image's kernel. `is_complete`: `exports` are all there are (Module.symvers was at hand), else
    those that the image's own modules name."""

    release: str
    vermagic: str = ""
    exports: Mapping[str, Export] = {}
    is_complete: bool = False
    modules: frozenset[str] = frozenset()
    builtin: frozenset[str] = frozenset()
    firmware: frozenset[str] = frozenset()
    is_signature_enforced: bool | None = None  # None: it is not known how the kernel was configured


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`problems`: why the modules cannot be added; `notes`: what was not checked, or is worth knowing."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def parse_symvers(text: str) -> dict[str, Export]:
    """Parse Module.symvers (Documentation/kbuild/modules.rst): version, symbol, `vmlinux` or the module's path, kind of
    export, namespace. Returns symbol -> what is known of it."""
    exports = {}
    for line in text.splitlines():
        version, symbol, place, kind, namespace = (line.split("\t") + [""] * 5)[:5]
        if place:
            module = "" if place == "vmlinux" else place.rsplit("/", 1)[-1].replace("-", "_")
            exports[symbol] = Export(
                version=int(version, 16),
                module=module,
                is_gpl_only=kind.endswith("_GPL"),
                namespace=namespace.strip(),
            )
    return exports


def collect_known(modules: Iterable[ModuleFile]) -> dict[str, Export]:
    """Without Module.symvers: the versions that the image's own modules were built against, which are the kernel's."""
    known: dict[str, Export] = {}
    for module in modules:
        for symbol, version in module.needs.items():
            if version:
                known.setdefault(symbol, Export(version=version))
    return known


def parse_config(text: str) -> dict[str, str]:
    """A kernel's `.config`: name -> value, only what is set."""
    pairs = (line.partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
    return {name: value.strip('"') for name, _, value in pairs}


def check_modules(modules: Sequence[ModuleFile], kernel: Kernel) -> Verdict:
    """Judge modules that are added together: what one of them exports the others may use."""
    problems: list[Problem] = []
    notes: list[str] = []
    together = {
        symbol: (module.name, version) for module in modules for symbol, version in module.offers.items()
    }
    for module in modules:
        found = list(_check_build(module, kernel))
        if not found:  # a module that was built for another kernel is reported once, not for each symbol
            found = list(_check_symbols(module, kernel, together))
        problems += found
        notes += _collect_notes(module, kernel, together)
    return Verdict(problems=tuple(problems), notes=tuple(dict.fromkeys(notes)))


def find_broken(dependents: Iterable[ModuleFile], modules: Sequence[ModuleFile]) -> list[str]:
    """Notes on modules of the image that use what the new modules replace, and can no longer."""
    offered = {symbol: version for module in modules for symbol, version in module.offers.items()}
    names = {module.name for module in modules}
    notes = []
    for dependent in dependents:
        lost = [
            symbol
            for symbol, version in sorted(dependent.needs.items())
            if symbol in offered and version and offered[symbol] and version != offered[symbol]
        ]
        if lost:
            used = ", ".join(sorted(names & set(dependent.depends)))
            notes.append(
                f"{dependent.name} of the image no longer loads: {used} has other versions of {_join(lost)}"
            )
    return notes


def _check_build(module: ModuleFile, kernel: Kernel) -> Iterator[Problem]:
    path = f"{module.name}.ko"
    if module.kernel_release != kernel.release:
        yield Problem(
            path=path,
            message=f"was built for kernel {module.kernel_release}; this image has {kernel.release}",
            hint="bootos driver build makes it from source for this image",
        )
    elif kernel.vermagic and module.vermagic.split() != kernel.vermagic.split():
        yield Problem(
            path=path,
            message=f"was built for a kernel with other settings: {module.vermagic!r}, not {kernel.vermagic!r}",
            hint="bootos driver build makes it from source for this image",
        )
    if kernel.is_signature_enforced and not module.signed_by:
        yield Problem(path=path, message="is not signed, and this kernel loads signed modules only")
    if module.name in kernel.builtin:
        yield Problem(path=path, message="is built into this kernel, and cannot be replaced by a module")


def _check_symbols(
    module: ModuleFile, kernel: Kernel, together: Mapping[str, tuple[str, int]]
) -> Iterator[Problem]:
    path = f"{module.name}.ko"
    missing, changed, forbidden = [], [], []
    absent: dict[str, str] = {}
    closed: set[str] = set()
    for symbol, version in sorted(module.needs.items()):
        if symbol in together:
            continue
        export = kernel.exports.get(symbol)
        if export is None:
            if kernel.is_complete and symbol not in module.weak and symbol != LAYOUT:
                missing.append(symbol)
            continue
        if version and export.version and version != export.version:
            changed.append(f"{symbol} (0x{version:08x}, the kernel's is 0x{export.version:08x})")
        if export.module and export.module not in kernel.modules | kernel.builtin:
            absent.setdefault(export.module, symbol)
        if export.is_gpl_only and module.license not in GPL:
            forbidden.append(symbol)
        if export.namespace and export.namespace not in module.namespaces:
            closed.add(export.namespace)
    if missing:
        yield Problem(
            path=path, message=f"needs what kernel {kernel.release} does not have: {_join(missing)}"
        )
    if changed:
        hint = "bootos driver build makes it from source for this image"
        yield Problem(path=path, message=f"was built against other headers: {_join(changed)}", hint=hint)
    for name, symbol in absent.items():
        hint = "add that module's directory to modules.keep of the recipe and build the image anew"
        yield Problem(
            path=path, message=f"needs {symbol} of module {name}, which this image lacks", hint=hint
        )
    if forbidden:
        what = f"its licence {module.license!r}" if module.license else "it names no licence, and"
        yield Problem(path=path, message=f"{what} does not let it use {_join(forbidden)} (GPL only)")
    if closed:
        yield Problem(path=path, message=f"does not import the symbol namespace {_join(sorted(closed))}")


def _collect_notes(
    module: ModuleFile, kernel: Kernel, together: Mapping[str, tuple[str, int]]
) -> Iterator[str]:
    unknown = [symbol for symbol in module.needs if symbol not in kernel.exports and symbol not in together]
    if not kernel.is_complete and unknown:
        yield (
            f"{module.name}: {len(module.needs) - len(unknown)} of {len(module.needs)} symbols were checked against "
            f"this image's modules; the kernel's headers are not at hand, so these were not: {_join(sorted(unknown))}"
        )
    if not module.has_versions:
        yield f"{module.name}: it was built without symbol versions, so only the symbols' names were checked"
    if not module.signed_by:
        yield f"{module.name}: not signed; it loads, but not where Secure Boot is on"
    elif not module.is_in_tree:
        yield f"{module.name}: signed by {module.signed_by}; Secure Boot needs that key enrolled on the machine"
    if kernel.is_signature_enforced is None:
        yield "whether this kernel loads unsigned modules was not checked: its configuration is not at hand"
    lacking = [name for name in module.firmware if name not in kernel.firmware]
    if lacking:
        yield f"{module.name}: may ask for firmware that this image lacks: {_join(lacking)}"


def _join(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN_SYMBOLS
    return ", ".join(names[:SHOWN_SYMBOLS]) + (f" and {rest} more" if rest > 0 else "")
