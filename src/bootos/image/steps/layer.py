"""Stage `layer`: what BootOS adds to Debian, as a small squashfs of its own: the agent from the project's wheel, the
units and settings in `image/rootfs/`, and the recipe's overlay. Rebuilt in seconds after a change in the agent.
"""

import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import bootos
from bootos.errors import BootosError
from bootos.image.cache import Stage
from bootos.image.recipe import Repository, Site
from bootos.image.squash import build_squashfs
from bootos.image.steps.bytecode import compile_python
from bootos.image.steps.rpmdb import PACKAGES as OWN_PACKAGES
from bootos.image.steps.site import apply_system
from bootos.process import run
from bootos.repository import build_repo_file

AGENT_PARTS = (
    *("__init__.py", "errors.py", "masking.py", "process.py", "document.py", "fetch.py", "repository.py"),
    *("files.py", "printable.py", "threadpool.py", "waiting.py"),
    *("template", "wire", "hardware", "drivers", "engine", "agent"),
)
"""What of the package the agent needs; server, lab and image stay out of the in-memory OS."""

PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
"""What the wheel's metadata, which lie in the image, are made from."""

ROOTFS = Path(__file__).parent.parent / "rootfs"
PACKAGES = "usr/lib/python3/dist-packages"
PROGRAMS = ("usr/lib/bootos", "usr/bin")
"""Directories of `image/rootfs/` whose files are programs (a wheel does not carry the executable bit)."""

WANTS = {
    "sysinit.target": ("bootos-init.service", "bootos-ipmi.service"),
    "multi-user.target": ("bootos-agent.service", "bootos-console.service"),
}
SHELL_FILES = (
    "etc/systemd/system/emergency.service.d",
    "etc/systemd/system/rescue.service.d",
    "usr/lib/bootos/shell",
)
"""What a recipe with `shell = "off"` does not carry: no console gives a root shell then."""

MASKED = (
    # udev rules start these by name when an array is made
    *("mdmonitor.service", "mdmonitor-oneshot.service", "mdadm-grow-continue@.service"),
    # Units that are started here want these. They cost CPU time at each boot, and an OS that lives in memory does not
    # need them.
    *("tmp.mount", "sys-fs-fuse-connections.mount", "systemd-networkd-persistent-storage.service"),
    *("systemd-udev-load-credentials.service", "modprobe@.service", "run-lock.mount"),
)
"""Units something could start by name although nothing wants them at boot."""

LINKS = {
    "etc/systemd/system/default.target": "/usr/lib/systemd/system/multi-user.target",
    "etc/resolv.conf": "/run/bootos/resolv.conf",
    "etc/mtab": "../proc/self/mounts",
    "usr/bin/yum": "dnf-3",
}

VENDOR_COMMAND = "/usr/lib/bootos/vendor-command"
VENDOR_DIRECTORY = "opt/yunji/osinstall"
VENDORS = ("dell", "hp", "huawei", "inspur", "lenovo", "generic")
VENDOR_SCRIPTS = ("raid.sh", "oob.sh", "bios.sh")
"""The paths that Cloudboot's hardware templates call; all are the one command, which sees by what name it is called."""


def find_project() -> Path:
    """The source tree this package runs from: the agent's wheel is built from it. Raises BootosError: it runs from an
    installation."""
    project = Path(bootos.__file__).resolve().parents[2]
    if not (project / "pyproject.toml").is_file():
        raise BootosError(
            "an image is built from BootOS's source tree, and this installation has none",
            hint="run it in a checkout, from an editable install (pip install -e .)",
        )
    return project


def collect_agent_sources(project: Path) -> dict[str, Path]:
    """The files and directories the agent's wheel is made of, by their place in the project."""
    names = (*PROJECT_FILES, *(f"src/bootos/{name}" for name in AGENT_PARTS))
    return {name: project / name for name in names if (project / name).exists()}


def build_layer(
    *,
    base: Stage,
    rpmdb: Stage,
    agent: Mapping[str, Path],
    rootfs: Path,
    repositories: Mapping[str, Repository],
    keys: Mapping[str, Path],
    site: Site,
    directory: Path,
) -> None:
    """Fill `directory/layer.squashfs`. `agent`: of `collect_agent_sources`; `rootfs`: the tree of units and settings;
    `keys`: of the repositories, by name. Raises BootosError: a script of the site failed; ToolError."""
    root, installed = directory / "root", base.directory / "root"
    shutil.copytree(rpmdb.directory / "root", root)
    install_agent(build_wheel(agent, directory / "wheel"), root)
    copy_rootfs(rootfs, root, programs=PROGRAMS)
    write_repositories(repositories, keys, root)
    for overlay in site.files["overlays"]:
        copy_rootfs(overlay, root)
    link_units(root, shell=site.shell != "off")
    link_vendor_scripts(root)
    compile_python(root, installed, [root / PACKAGES])
    apply_system(site, installed, rpmdb.directory / OWN_PACKAGES, root, directory / "site")
    # A script may have given files to other users. Without scripts all files belong to root.
    all_root = not site.system.scripts
    build_squashfs(root, directory / "layer.squashfs", "zstd", all_root=all_root)
    shutil.rmtree(root)
    shutil.rmtree(directory / "wheel")
    shutil.rmtree(directory / "site", ignore_errors=True)


def build_wheel(sources: Mapping[str, Path], directory: Path) -> Path:
    """Build a wheel of these files and directories of the project, and of nothing else of it, with hatchling and
    without network. Returns the wheel, in `directory`. Raises ToolError."""
    project = directory / "project"
    for name, source in sources.items():
        target = project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory.resolve()],
        cwd=project,
        timeout_s=300,
    )
    return next(directory.glob("*.whl"))


def install_agent(wheel: Path, root: Path) -> None:
    """Unpack the agent's part of the wheel (PEP 427) where the image's Python finds it, with its entry points."""
    target = root / PACKAGES
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            package, _, inside = name.partition("/")
            wanted = package.endswith(".dist-info") and inside in ("METADATA", "entry_points.txt", "WHEEL")
            if wanted or (package == "bootos" and inside.split("/")[0] in AGENT_PARTS):
                archive.extract(name, target)


def copy_rootfs(source: Path, root: Path, *, programs: Sequence[str] = ()) -> None:
    """Lay a tree of files over `root`: plain modes, symlinks as they are, `programs` executable."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        target = root / inside
        if path.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            program = path.stat().st_mode & 0o100 or inside.parent.as_posix() in programs
            target.chmod(0o755 if program else 0o644)
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    (root / "root").mkdir(mode=0o700, exist_ok=True)


def write_repositories(repositories: Mapping[str, Repository], keys: Mapping[str, Path], root: Path) -> None:
    """Write the recipe's yum repositories below `root` (dnf.conf(5)), with their keys, by the repository's name."""
    target, target_keys = root / "etc/yum.repos.d", root / "etc/pki/rpm-gpg"
    target.mkdir(parents=True)
    for name, repo in sorted(repositories.items()):
        gpgkey = ""
        if name in keys:
            target_keys.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(keys[name], target_keys / name)
            gpgkey = f"file:///etc/pki/rpm-gpg/{name}"
        (target / f"{name}.repo").write_text(build_repo_file(name, repo.url, gpgkey))


def link_units(root: Path, *, shell: bool) -> None:
    """Enable BootOS's units (systemd.unit(5)), mask what could be pulled in by name, and leave the shell out when it is
    off."""
    units = root / "etc/systemd/system"
    for target, names in WANTS.items():
        for name in names:
            link = units / f"{target}.wants" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../{name}")
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    for inside, destination in LINKS.items():
        link = root / inside
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(destination)
    for name in () if shell else SHELL_FILES:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def link_vendor_scripts(root: Path) -> None:
    """Give the vendor command its documented paths; a file of the recipe's overlay comes before it."""
    for vendor in VENDORS:
        for name in VENDOR_SCRIPTS:
            link = root / VENDOR_DIRECTORY / vendor / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(VENDOR_COMMAND)
