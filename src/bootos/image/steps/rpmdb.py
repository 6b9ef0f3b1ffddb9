"""Stage `rpmdb`: the recipe's own packages, and what rpm and dnf have to know of the Debian base, so that a vendor's
RPM finds what it requires.

One package without files, `bootos-base`, is built and installed with the image's own rpm. It provides the sonames
and symbol versions of every library in the image, the interpreters' paths, and the Debian packages by name.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.files import write_json
from bootos.image.cache import Stage
from bootos.image.layers.chroot import prepare_chroot, run_inside
from bootos.image.layers.origin import collect_origins
from bootos.image.layers.overlay import open_trees
from bootos.image.layers.package import Wanted, install_debs, install_rpms, read_versions
from bootos.image.layers.upper import clamp_times, clean_upper, read_clock
from bootos.image.recipe import Cut
from bootos.image.squash import build_squashfs
from bootos.image.steps.root import cut_paths, read_packages, select_cut

NAME = "bootos-base"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PROGRAM_DIRECTORIES = ("usr/bin", "usr/sbin")
DEFINES = (
    *("--define", "_topdir /tmp/rpmbuild"),
    *("--define", "_buildhost bootos", "--define", "use_source_date_epoch_as_buildtime 1"),
)
"""The package says nothing of the host and the hour it was made at: the same base gives the same bytes."""
FIXED = ("rtld(GNU_HASH)",)
"""What rpm's own generators ask for and no file shows: the dynamic loader reads GNU hash tables."""
LIBRARY_DIRECTORIES = "/lib /usr/lib /lib64 /usr/lib64"
LOADER_PATHS = "etc/ld.so.conf.d/bootos.conf"
PACKAGES = "packages.squashfs"
DATABASE = "var/lib/rpm/rpmdb.sqlite"
NOTHING = Cut()


def build_rpmdb(
    *,
    base: Stage,
    wanted: Wanted,
    keys: Sequence[Path],
    cut: Cut,
    enabled: Sequence[str],
    compression: str,
    loader_paths: Path,
    version: str,
    directory: Path,
    say: Callable[[str], None],
) -> None:
    """Fill `directory`: `root/var/lib/rpm`; `packages.json` (of the recipe's .deb and .rpm files, for the SBOM); and
    `packages.squashfs` with their files, if there are any. `keys`: whose signatures rpm trusts. What `cut` takes is not
    promised to anybody. `enabled`: the units, rules and generators of packages that may act by themselves.
    `loader_paths`: the file that says where the loader looks for libraries. `version`: of bootos-base. Raises
    BootosError: rpm leaves no database; ToolError: a package cannot be installed."""
    work, since = directory / "work", read_clock(directory)
    with open_trees([base.directory / "root"], work) as root:
        with prepare_chroot(root):
            before = read_packages(root)
            shutil.copyfile(loader_paths, root / LOADER_PATHS)  # must be there before a package runs ldconfig
            if wanted.debs:
                say(f"installing {len(wanted.debs)} .deb files")
                install_debs(root, Wanted(debs=wanted.debs), say, archive=False)
            register_base(root, version, say, cut=cut)
            for key in keys:
                shutil.copyfile(key, root / "tmp/key")
                run_inside(root, ["rpm", "--import", "/tmp/key"])
            if wanted.rpms:
                say(f"installing {len(wanted.rpms)} .rpm files")
                install_rpms(root, Wanted(rpms=wanted.rpms), (), say)
            after = read_versions(root)
            added = {name: after[name] for name in after if before.get(name) != after[name] and name != NAME}
            components = collect_origins(root, added, wanted)
        if not (root / DATABASE).is_file():
            raise BootosError("rpm left no database in /var/lib/rpm")
        clean_upper(root.upper, enabled, since)
    write_json(directory / "packages.json", components)
    (directory / "root" / DATABASE).parent.mkdir(parents=True)
    (work / "upper" / DATABASE).rename(directory / "root" / DATABASE)
    if added:
        cut_paths(work / "upper", cut)
        clamp_times(work / "upper", since)
        build_squashfs(work / "upper", directory / PACKAGES, compression, keep_times=True)
    shutil.rmtree(work)


def register_base(
    root: Path,
    version: str,
    say: Callable[[str], None],
    *,
    cut: Cut = NOTHING,
    name: str = NAME,
    also: Mapping[str, str] | None = None,
) -> Path:
    """Make rpm's database anew, with the one package in it; returns that, in /tmp. `root` is open and prepared. What
    `cut` takes is not promised; `also` are more names, with Debian versions. Raises BootosError: rpmbuild made none."""
    libraries = [
        f"/{path.relative_to(root)}" for path in sorted((root / LIBRARIES).rglob("*.so*")) if path.is_file()
    ]
    kept = sorted(set(libraries) - set(select_cut(libraries, cut)))
    say(f"asking rpm what {len(kept)} libraries provide")
    printed = run_inside(
        root, ["/usr/lib/rpm/rpmdeps", "--provides"], input="\n".join(kept) + "\n", timeout_s=900
    ).stdout
    programs = [
        f"/{path.relative_to(root)}"
        for directory in PROGRAM_DIRECTORIES
        for path in sorted((root / directory).iterdir())
        if path.exists()
    ]
    programs = sorted(set(programs) - set(select_cut(programs, cut)))
    packages = {**read_packages(root), **(also or {})}
    names = build_provides(parse_provides(printed), packages, programs, release=read_release(root))
    (root / f"tmp/{name}.spec").write_text(build_spec(names, version, name=name))
    say(f"building {name} with {len(names)} provides")
    run_inside(root, ["rpmbuild", "-bb", "--quiet", *DEFINES, f"/tmp/{name}.spec"], timeout_s=900)
    built = sorted((root / "tmp/rpmbuild/RPMS").rglob("*.rpm"))
    if len(built) != 1:
        raise BootosError(f"rpmbuild made {len(built)} packages instead of {name}")
    shutil.rmtree(root / "var/lib/rpm", ignore_errors=True)
    run_inside(root, ["rpm", "--install", f"/{built[0].relative_to(root)}"], timeout_s=900)
    return built[0]


def read_release(root: Path) -> str:
    """The number of the Debian release, as 13, from os-release(5); 0: it does not say."""
    found = re.search(r'^VERSION_ID="?([0-9.]+)"?$', (root / "etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else "0"


def parse_provides(printed: str) -> list[str]:
    """The provides `rpmdeps --provides` printed, sorted and each once."""
    return sorted({line.strip() for line in printed.splitlines() if line.strip()})


def build_provides(
    libraries: Iterable[str], packages: Mapping[str, str], programs: Iterable[str], *, release: str
) -> list[str]:
    """Everything the base provides, in rpm's words. Both spellings of a program's path count: rpm packages ask for
    /bin/sh as well as for /usr/bin/sh. dnf takes $releasever from what provides system-release."""
    paths = set(programs)
    paths |= {path.removeprefix("/usr") for path in paths}
    named = {f"{name} = {rpm_version(version)}" for name, version in packages.items()}
    system = {f"system-release = {release}", f"system-release(releasever) = {release}"}
    return sorted({*libraries, *named, *paths, *system, *FIXED} - {""})


def rpm_version(debian: str) -> str:
    """A Debian version in the characters rpm allows in `epoch:version-release`."""
    epoch, _, rest = debian.rpartition(":")
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    parts = [re.sub(r"[^A-Za-z0-9._+~^]", "_", part) for part in (upstream, release)]
    version = f"{parts[0]}-{parts[1]}" if parts[1] else parts[0]
    return f"{epoch}:{version}" if epoch else version


def build_spec(provides: Iterable[str], version: str, *, name: str = NAME) -> str:
    """The spec file of the package. Its triggers make the loader find the libraries of packages that come later."""
    lines = [
        f"Name: {name}",
        f"Version: {rpm_version(version)}",
        "Release: 1",
        "Summary: What the Debian base of BootOS provides",
        "License: Apache-2.0",
        *(f"Provides: {line}" for line in provides),
        "%description",
        "Lets packages that require libraries and programs of the base be installed.",
        "%files",
        f"%transfiletriggerin -P 2000000 -- {LIBRARY_DIRECTORIES}",
        "/sbin/ldconfig",
        f"%transfiletriggerpostun -P 2000000 -- {LIBRARY_DIRECTORIES}",
        "/sbin/ldconfig",
    ]
    return "\n".join(line for line in lines if line) + "\n"
