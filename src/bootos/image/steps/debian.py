"""Stage `base`: install the snapshot's packages into a directory with mmdebstrap. Nothing is cut here.

mmdebstrap sees one archive: a local one that holds exactly the packages of the lock, so the result depends on nothing
that the network offers.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bootos.image.lock import Package
from bootos.image.package_store import PackageStore
from bootos.image.recipe import Debian
from bootos.image.squash import SOURCE_DATE
from bootos.process import run

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
"""Never even unpacked. All else is cut in stage `root`, where it can be changed without installing anew."""
_DIVERT = 'chroot "$1" dpkg-divert --local --quiet --rename'
NOT_YET = f"{_DIVERT} --divert /usr/bin/py3compile.later --add /usr/bin/py3compile"
AGAIN = f"{_DIVERT} --remove /usr/bin/py3compile"
"""Packages with Python find no compiler while they are installed: stage `root` compiles what its cuts leave, and this
took 16 CPU seconds of 57."""
TAKEN_IN = ("/usr/share/doc/*/copyright",)
"""Of those, what the list of licenses is made from."""


def build_base(
    *,
    debian: Debian,
    packages: Sequence[Package],
    sources: str,
    store: PackageStore,
    directory: Path,
    say: Callable[[str], None],
) -> None:
    """Fill `directory/root` with the packages, which are in the store; `sources` becomes its sources.list. Raises
    ToolError: they cannot be installed."""
    root, repository = directory / "root", directory / "repository"
    say(f"installing {len(packages)} packages")
    source = store.build_repository(packages, debian.suite, repository)
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--architectures=amd64",
            f"--include={','.join(debian.packages)}",
            "--dpkgopt=force-unsafe-io",  # no syncs: a build that breaks off is thrown away
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
            *(f"--dpkgopt=path-include={path}" for path in TAKEN_IN),
            f"--essential-hook={NOT_YET}",
            f"--customize-hook={AGAIN}",
            debian.suite,
            str(root),
            source,
        ],
        timeout_s=3600,
        env={"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "SOURCE_DATE_EPOCH": SOURCE_DATE},
        on_line=lambda line: say(line.removeprefix("I: ")) if line.startswith("I: ") else None,
    )
    (root / "etc/apt/sources.list").write_text(sources)
    shutil.rmtree(repository)
