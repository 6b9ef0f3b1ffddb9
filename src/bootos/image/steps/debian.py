"""Stage `base`: install the recipe's Debian packages into a directory with mmdebstrap. Nothing is cut here."""

import re
from collections.abc import Callable
from pathlib import Path

from bootos.image.archive import KEYRING, Mirrors, build_sources
from bootos.image.recipe import Debian
from bootos.process import run

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
"""Never even unpacked. All else is cut in stage `root`, where it can be changed without installing anew."""


def build_base(
    debian: Debian, mirrors: Mirrors, downloads: Path, directory: Path, say: Callable[[str], None]
) -> None:
    """Fill `directory/root` and `directory/sources.list`. `downloads` keeps the .deb files between builds."""
    downloads.mkdir(parents=True, exist_ok=True)
    root = directory / "root"
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--architectures=amd64",
            f"--components={','.join(debian.components)}",
            f"--include={','.join(debian.packages)}",
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
            '--aptopt=Acquire::Retries "3"',
            '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
            f"--setup-hook=sync-in {downloads} /var/cache/apt/archives",
            f"--customize-hook=sync-out /var/cache/apt/archives {downloads}",
            "--skip=essential/unlink",
            debian.suite,
            str(root),
            *build_sources(mirrors, debian.suite, debian.components).splitlines(),
        ],
        timeout_s=3600,
        env={"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        on_line=lambda line: say(line.removeprefix("I: ")) if line.startswith("I: ") else None,
    )
    (directory / "sources.list").write_text(read_sources(root))


def read_sources(root: Path) -> str:
    """The apt sources mmdebstrap settled on, as sources.list text, each with the archive keyring named."""
    text = (root / "etc/apt/sources.list").read_text()
    lines = [line for line in text.splitlines() if line.startswith("deb ")]
    return "".join(re.sub(r"^deb (?!\[)", f"deb [signed-by={KEYRING}] ", line) + "\n" for line in lines)
