"""Read what an image's kernel is, from its merged root, and from its headers where a workshop has them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bootos.image.driver.check import Export, Kernel, collect_known, parse_config, parse_symvers
from bootos.image.driver.module_file import ModuleFile, parse_module
from bootos.image.driver.workshop import find_symbols
from bootos.image.kernel_module import parse_dependencies, read_name

MODULES = "usr/lib/modules"
FIRMWARE = "usr/lib/firmware"


def read_kernel(root: Path, release: str, cache_dir: Path) -> Kernel:
    """The kernel of a merged root. Without headers, what is known of its symbols is what its modules say."""
    directory = root / MODULES / release
    paths = list_modules(directory)
    symvers = find_symbols(release, cache_dir)
    exports: dict[str, Export] = {}
    config: dict[str, str] = {}
    if symvers is not None:
        exports = parse_symvers(symvers.read_text())
        config = parse_config((symvers.parent / ".config").read_text())
        sample = list(read_modules(paths[:1]))
    else:
        sample = list(read_modules(paths))
        exports = collect_known(sample)
    return Kernel(
        release=release,
        vermagic=sample[0].vermagic if sample else "",
        exports=exports,
        is_complete=symvers is not None,
        modules=frozenset(read_name(path.name) for path in paths),
        builtin=frozenset(read_builtin(directory)),
        firmware=frozenset(list_firmware(root)),
        is_signature_enforced="CONFIG_MODULE_SIG_FORCE" in config if config else None,
    )


def list_modules(directory: Path) -> list[Path]:
    """The module files below a directory, by path."""
    return sorted(directory.rglob("*.ko"))


def read_modules(paths: Sequence[Path]) -> Iterator[ModuleFile]:
    """What each says of itself, without the symbols it offers."""
    return (parse_module(path.read_bytes(), path.name, symbols=False) for path in paths)


def read_builtin(directory: Path) -> Iterator[str]:
    """Names of what is built into the kernel."""
    path = directory / "modules.builtin"
    return (read_name(line) for line in path.read_text().splitlines()) if path.is_file() else iter(())


def list_firmware(root: Path) -> Iterator[str]:
    """The firmware files, as modules name them."""
    directory = root / FIRMWARE
    return (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def find_dependents(directory: Path, names: frozenset[str]) -> list[Path]:
    """The modules that directly or indirectly use one of the named modules, without the named modules themselves."""
    table = parse_dependencies((directory / "modules.dep").read_text())
    return [
        directory / path
        for path, needed in table.items()
        if read_name(path) not in names and any(read_name(item) in names for item in needed)
    ]
