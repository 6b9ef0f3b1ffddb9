"""Install packages into an open, prepared root with the image's own tools, which know what it has: apt for Debian
packages, rpm for an .rpm that lacks nothing, dnf for what has to be looked up in a repository.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from bootos.errors import BootosError
from bootos.image.layers.chroot import PLACE, bind_directory, run_inside
from bootos.process import Completed, ToolError, run
from bootos.repository import build_repo_file, find_url_fault, is_repo_file

Say = Callable[[str], None]
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
APT = (
    *("apt-get", "-y", "-qq", "--no-install-recommends", "-o", "APT::Sandbox::User=root"),
    *("-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3", "-o", "Dpkg::Use-Pty=0"),
    *("-o", "DPkg::Options::=--force-unsafe-io", "-o", "DPkg::Options::=--force-confdef"),
    *(word for path in LEFT_OUT for word in ("-o", f"DPkg::Options::=--path-exclude={path}")),
)
DNF = (
    "dnf",
    "-y",
    "-q",
    "--setopt=tsflags=nodocs",
    "--setopt=install_weak_deps=0",
    "--setopt=skip_if_unavailable=0",
    "--setopt=keepcache=1",  # `origin` reads the package files; the cache is no part of a layer
)


DAMAGED = r": BAD|not verify|corrupted|[Ff]ailed to read|Invalid archive|not a .*archive|end of file"
HINTS = {
    DAMAGED: "was the file downloaded whole?",
    r"architecture": "the image is for x86-64 (amd64, x86_64, noarch, all)",
    r"Failed to download metadata": "can this host reach it? it is the directory that has repodata/",
    r"Unable to locate package": "it is not in the image's Debian archive; give a file, or --repo URL or DIR",
}
"""What to do, by what a tool says; else by the tool."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, sorted by who installs it."""

    debs: tuple[Path, ...] = ()
    rpms: tuple[Path, ...] = ()
    deb_names: tuple[str, ...] = ()
    rpm_names: tuple[str, ...] = ()


def sort_wanted(words: Sequence[str], *, has_repo: bool) -> Wanted:
    """A path of a package file, told by its content; or a name, looked up in the repository when there is one, else in
    the Debian archive. Raises BootosError: a path without file, a file that is no package."""
    debs: list[Path] = []
    rpms: list[Path] = []
    names: list[str] = []
    for word in words:
        path = Path(word)
        if path.is_file():
            (debs if read_kind(path) == "deb" else rpms).append(path)
        elif "/" in word or word.endswith((".deb", ".rpm")):
            raise BootosError(f"{word}: there is no such file")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._:~=-]*", word):
            raise BootosError(f"{word!r} is neither a package file nor the name of a package")
        else:
            names.append(word)
    return Wanted(
        debs=tuple(debs),
        rpms=tuple(rpms),
        deb_names=() if has_repo else tuple(names),
        rpm_names=tuple(names) if has_repo else (),
    )


def read_kind(path: Path) -> Literal["deb", "rpm"]:
    """deb(5): an ar archive whose first member is debian-binary; rpm: the lead's magic. Raises BootosError."""
    with path.open("rb") as handle:
        head = handle.read(96)
    if head.startswith(b"!<arch>\ndebian-binary"):
        return "deb"
    if head.startswith(b"\xed\xab\xee\xdb"):
        if head[6:8] == b"\0\1":
            raise BootosError(f"{path} is a source package", hint="bootos driver build makes a package of it")
        return "rpm"
    hint = "bootos driver add" if b"\x7fELF" in head[:4] else "was it downloaded whole?"
    raise BootosError(f"{path} is neither a .deb nor an .rpm", hint=hint)


def read_versions(root: Path) -> dict[str, str]:
    """The packages both databases of the root know, with their versions."""
    debs = run(
        [
            "dpkg-query",
            f"--admindir={root}/var/lib/dpkg",
            "-W",
            "-f",
            "${db:Status-Abbrev}\t${Package}\t${Version}\n",
        ],
        check=False,
    ).stdout
    table = [line.split("\t") for line in debs.splitlines() if line.startswith("ii")]
    found = {name: version for _, name, version in table}
    rpms = run_inside(root, ["rpm", "-qa", "--qf", "%{NAME}\t%{EVR}\n"], check=False).stdout
    return found | dict(line.split("\t") for line in rpms.splitlines() if "\t" in line)


def install_debs(root: Path, wanted: Wanted, say: Say, *, archive: bool = True) -> None:
    """Install .deb files and named Debian packages. The archive is asked only when the root lacks something, and never
    without `archive`. Raises ToolError: apt refuses; BootosError: the archive cannot be read."""
    with ExitStack() as stack:
        inside = _show_files(stack, root, wanted.debs, "debs")
        argv = [*APT, "install", *inside, *wanted.deb_names]
        if not wanted.deb_names:
            # the root has no package lists yet, so apt downloads nothing
            done = run_inside(root, argv, check=False)
            if done.returncode == 0:
                return
            if not archive or "nmet dependencies" not in done.stdout + done.stderr:
                raise _refuse("apt", done)
            say("looking up what is missing in the Debian archive")
        else:
            say("reading the lists of the Debian archive")
        proxy = read_proxy()
        updated = run_inside(root, [*APT, *proxy, "update"], timeout_s=600, check=False)
        if updated.returncode != 0:
            hint = "the sources are those of the image's /etc/apt; give the packages it needs as files too"
            raise BootosError("the Debian archive cannot be read: " + _tail(updated), hint=hint)
        say("installing")
        done = run_inside(root, [*argv, *proxy], timeout_s=1800, check=False)
        if done.returncode != 0:
            raise _refuse("apt", done)


def read_proxy() -> list[str]:
    """The proxies the host's apt uses, as options."""
    printed = run(["apt-config", "dump", "Acquire"], check=False).stdout
    found = re.findall(r'^(Acquire::\w+::Proxy) "([^"]+)";$', printed, re.MULTILINE)
    return [word for key, value in found for word in ("-o", f"{key}={value}")]


def install_rpms(root: Path, wanted: Wanted, repos: Sequence[str], say: Say) -> None:
    """Install .rpm files and named packages of the repositories (URL, directory or .repo file of the host). Raises
    ToolError when rpm or dnf refuses, BootosError when one of `repos` is not a repository."""
    with ExitStack() as stack:
        inside = _show_files(stack, root, wanted.rpms, "rpms")
        if not wanted.rpm_names:
            lacking = run_inside(root, ["rpm", "-U", "--test", *inside], check=False)
            if lacking.returncode == 0:
                say("installing")
                _check_rpm(
                    run_inside(root, ["rpm", "-U", "--excludedocs", *inside], timeout_s=1800, check=False)
                )
                return
            if not repos or "Failed dependencies" not in lacking.stderr:
                raise _refuse("rpm", lacking)
        directory = _show_repos(stack, root, repos)
        say("looking up what is missing in the repositories")
        argv = [*DNF, f"--setopt=reposdir={directory}", "install", *inside, *wanted.rpm_names]
        done = run_inside(root, argv, timeout_s=1800, check=False)
        if done.returncode != 0:
            raise _refuse("dnf", done, repos)


def _check_rpm(done: Completed) -> None:
    if done.returncode != 0:
        raise _refuse("rpm", done)


def _show_files(stack: ExitStack, root: Path, files: Iterable[Path], kind: str) -> list[str]:
    """Show each file's directory in the root; returns the paths there."""
    return [
        f"{bind_directory(stack, root, path.absolute().parent, f'{kind}{number}')}/{path.name}"
        for number, path in enumerate(files)
    ]


def _show_repos(stack: ExitStack, root: Path, repos: Sequence[str]) -> str:
    """Write a .repo file for each repository: a URL, a directory of the host, or a .repo file of the host."""
    place = "/run/repos"
    (root / place.lstrip("/")).mkdir()
    for number, repo in enumerate(repos, start=1):
        name, path = f"given-{number}", Path(repo)
        if path.is_file() and is_repo_file(path.name):
            text = path.read_text()
        elif path.is_dir():
            if not (path / "repodata/repomd.xml").is_file():
                raise BootosError(f"{path} is no repository: it has no repodata", hint=f"createrepo_c {path}")
            text = build_repo_file(name, f"file://{bind_directory(stack, root, path, name)}")
        elif "://" not in repo:
            raise BootosError(f"--repo {repo}: there is no such directory or .repo file")
        elif fault := find_url_fault(repo):
            raise BootosError(f"--repo: {fault}", hint="as http://10.0.0.1/repo, or a directory")
        else:
            text = build_repo_file(name, repo)
        (root / place.lstrip("/") / f"{name}.repo").write_text(text)
    return place


def _refuse(tool: str, done: Completed, repos: Sequence[str] = ()) -> BootosError:
    said = _tail(done)
    for number, repo in enumerate(repos, start=1):
        said = said.replace(f"'given-{number}'", repo)
    if re.search(r"is already (installed|the newest)|Nothing to do", done.stderr):
        return BootosError("the image has it already: " + said)
    hint = {
        "rpm": "give the packages that are named as files too, or a repository that has them (--repo URL or DIR)",
        "apt": "give the packages that are named as files too",
        "dnf": "is it in the repository, with all that it needs?",
    }[tool]
    for reason, what_to_do in HINTS.items():
        if re.search(reason, said):
            hint = what_to_do
    return ToolError(f"{tool} refuses: {said}", hint=hint, completed=done)


def _tail(done: Completed) -> str:
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    said = "; ".join(lines[-8:]) or f"exit code {done.returncode}"
    return re.sub(rf"/{PLACE}/[a-z]+\d+/", "", said).replace(":; ", ": ")
