"""What the SBOM says of packages that did not come with the image's lock: given as files, or looked up by apt and dnf.

Asks the databases of the root they were installed in, and the package files where these still lie. Used by `add`, by
the build stage `rpmdb`, and for drivers.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bootos.image.layers.chroot import bind_directory, run_inside
from bootos.image.layers.package import Wanted, read_kind
from bootos.image.license import NO_ASSERTION, parse_names
from bootos.image.manifest import hash_file
from bootos.image.sbom import DEBIAN, Component
from bootos.process import run

DEB_FORMAT = "${Package}\\t${Version}\\t${Architecture}\\t${Maintainer}\\n"
RPM_FORMAT = "%{NAME}\\t%{EVR}\\t%{ARCH}\\t%{VENDOR}\\t%{LICENSE}\\n"
DOWNLOADED_DEBS, DOWNLOADED_RPMS = "var/cache/apt/archives", "var/cache/dnf"


def collect_origins(
    root: Path, packages: Mapping[str, str], wanted: Wanted, repos: Sequence[str] = ()
) -> tuple[Component, ...]:
    """Describe what was installed into `root`, open and prepared: `packages` (name -> version), by name."""
    if not packages:
        return ()
    found = read_databases(root, packages)
    downloaded = sorted((root / DOWNLOADED_DEBS).glob("*.deb"))
    for path in (*wanted.debs, *downloaded):
        given = read_deb(path)
        known = found.get(given.name)
        if known is not None and known.version == given.version:
            supplier = DEBIAN if path in downloaded else given.supplier
            found[given.name] = msgspec.structs.replace(given, supplier=supplier)
    for path, given in read_rpms(root, [*wanted.rpms, *find_rpms(root, packages, repos)]):
        known = found.get(given.name)
        if known is not None and known.version == given.version:
            found[given.name] = msgspec.structs.replace(known, file=path.name, sha256=hash_file(path).sha256)
    return tuple(found[name] for name in sorted(found))


def read_databases(root: Path, packages: Mapping[str, str]) -> dict[str, Component]:
    """What dpkg and rpm know of the packages, by name. When both know a package, the entry with the given version
    counts."""
    argv = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", DEB_FORMAT, *packages]
    debs = [_parse_deb(line) for line in run(argv, check=False).stdout.splitlines()]
    printed = run_inside(root, ["rpm", "-q", "--qf", RPM_FORMAT, *packages], check=False).stdout
    rpms = [_parse_rpm(line) for line in printed.splitlines() if line.count("\t") == 4]
    return {item.name: item for item in (*debs, *rpms) if packages.get(item.name) == item.version}


def find_rpms(root: Path, packages: Iterable[str], repos: Sequence[str]) -> list[Path]:
    """What dnf downloaded; of a repository that is a directory, it uses the files where they lie."""
    found = sorted((root / DOWNLOADED_RPMS).rglob("*.rpm"))
    for directory in (Path(repo) for repo in repos if Path(repo).is_dir()):
        found += sorted({path for name in packages for path in directory.rglob(f"{name}-*.rpm")})
    return found


def read_deb(path: Path) -> Component:
    """One Debian package file."""
    described = _parse_deb(run(["dpkg-deb", "--show", f"--showformat={DEB_FORMAT}", path]).stdout.strip())
    script = 'dpkg-deb --fsys-tarfile "$1" | tar -xO "$2" 2> /dev/null'
    inside = f"./usr/share/doc/{described.name}/copyright"
    text = run(["sh", "-c", script, "-", path.absolute(), inside], check=False).stdout
    licenses = tuple(parse_names(text))
    return msgspec.structs.replace(
        described, file=path.name, sha256=hash_file(path).sha256, licenses=licenses
    )


def read_rpms(root: Path, paths: Sequence[Path]) -> list[tuple[Path, Component]]:
    """What rpm package files say of themselves, asked of the root's own rpm."""
    with ExitStack() as stack:
        inside = [
            f"{bind_directory(stack, root, path.absolute().parent, f'origin{number}')}/{path.name}"
            for number, path in enumerate(paths)
        ]
        if not inside:
            return []
        argv = ["rpm", "-qp", "--nosignature", "--nodigest", "--qf", RPM_FORMAT, *inside]
        lines = run_inside(root, argv).stdout.splitlines()
    return [(path, _parse_rpm(line)) for path, line in zip(paths, lines, strict=True)]


def read_file(path: Path) -> Component:
    """One package file, asked of the host's own rpm."""
    if read_kind(path) == "deb":
        return read_deb(path)
    printed = run(["rpm", "-qp", "--nosignature", "--nodigest", "--qf", RPM_FORMAT, path]).stdout
    return msgspec.structs.replace(_parse_rpm(printed.strip()), file=path.name, sha256=hash_file(path).sha256)


def _parse_deb(line: str) -> Component:
    name, version, architecture, maintainer = line.split("\t")
    return Component(
        name=name, version=version, architecture=architecture, supplier=_name_supplier(maintainer)
    )


def _parse_rpm(line: str) -> Component:
    name, version, architecture, vendor, license = line.split("\t")
    return Component(
        name=name,
        version=version,
        architecture=architecture,
        supplier=_name_supplier("" if vendor == "(none)" else vendor),
        licenses=(license,) if license != "(none)" else (),
    )


def _name_supplier(text: str) -> str:
    """As SPDX wants it, without an address."""
    name = text.partition("<")[0].strip()
    return f"Organization: {name}" if name else NO_ASSERTION
