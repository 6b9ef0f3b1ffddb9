"""The Debian archive: which mirror to use, and downloading packages from it with every signature checked by apt.

The mirror is the recipe's, else the build host's (its suite replaced by the recipe's), else mmdebstrap's own
default. Names of hosts are never part of this code. Used by the steps that fetch packages.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.lock import Package, parse_uris
from bootos.process import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HOST_SOURCES = Path("/etc/apt")
PRINT_URIS = ("apt-get", "-qq", "--print-uris", "-o", "Acquire::ForceHash=SHA256")
DEBIAN_SUITES = {"bookworm", "trixie", "forky", "sid", "stable", "testing", "oldstable", "unstable"}


class Mirrors(msgspec.Struct, frozen=True, kw_only=True):
    """URIs of the main and the security archive; empty means unknown."""

    main: str = ""
    security: str = ""


def parse_sources(text: str, *, deb822: bool) -> list[tuple[str, str]]:
    """Parse apt source entries (sources.list(5)) into (URI, suite) pairs: one-line `.list` form or deb822 `.sources`
    form."""
    return list(_parse_deb822(text) if deb822 else _parse_lines(text))


def _parse_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if found:
            yield found[1].rstrip("/"), found[2]


def _parse_deb822(text: str) -> Iterator[tuple[str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        last = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[last] = f"{fields.get(last, '')} {line.strip()}"
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        if fields.get("enabled", "yes").lower() == "no" or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri.rstrip("/"), suite


def find_mirrors(entries: Sequence[tuple[str, str]]) -> Mirrors:
    """Pick the Debian and the Debian security mirror out of a host's apt entries; both empty when the host is
    not a Debian one."""
    main = security = ""
    for uri, suite in entries:
        release, _, part = suite.replace("/", "-").partition("-")
        if release not in DEBIAN_SUITES:
            continue
        if part in ("security", "updates") and "security" in f"{uri} {suite}":
            security = security or uri
        elif not part:
            main = main or uri
    return Mirrors(main=main, security=security)


def read_host_mirrors(directory: Path = HOST_SOURCES) -> Mirrors:
    """The mirrors that the build host's own apt uses (sources.list(5)); both empty when it is no Debian host. Raises
    OSError."""
    entries: list[tuple[str, str]] = []
    for path in (directory / "sources.list", *sorted(directory.glob("sources.list.d/*"))):
        if path.suffix in (".list", ".sources") and path.is_file():
            entries += parse_sources(path.read_text(), deb822=path.suffix == ".sources")
    return find_mirrors(entries)


def build_sources(mirrors: Mirrors, suite: str, components: Sequence[str], *, backports: bool = False) -> str:
    """The sources.list of the image: the suite, its updates, its security fixes, and backports when asked for."""
    parts = " ".join(components)
    suites = [
        (mirrors.main, suite),
        (mirrors.main, f"{suite}-updates"),
        (mirrors.security, f"{suite}-security"),
    ]
    if backports:
        suites.append((mirrors.main, f"{suite}-backports"))
    return "".join(f"deb [signed-by={KEYRING}] {uri} {name} {parts}\n" for uri, name in suites if uri)


def parse_kernel(printed: str) -> tuple[str, ...]:
    """The kernel's packages in what `apt-get --simulate` printed. Up to 6.19 all is in linux-image-RELEASE; later that
    one is empty, and linux-binary-, linux-modules- and linux-base-RELEASE have kernel, modules and their lists."""
    image = re.search(r"^Inst linux-image-(\d\S*)", printed, re.MULTILINE)
    if image is None:
        return ()
    return tuple(re.findall(rf"^Inst (linux-[a-z]+-{re.escape(image[1])}) ", printed, re.MULTILINE))


class Archive:
    """Downloads packages into a directory with the host's apt, which shares nothing with the host's own state."""

    def __init__(self, directory: Path, sources: str) -> None:
        self._config = directory / "apt.conf"
        (directory / "lists" / "partial").mkdir(parents=True)
        (directory / "cache" / "archives" / "partial").mkdir(parents=True)
        (directory / "parts").mkdir()
        (directory / "status").touch()
        (directory / "sources.list").write_text(sources)
        settings = {
            "Dir::State::lists": "lists",
            "Dir::State::status": "status",
            "Dir::Cache": "cache",
            "Dir::Etc::sourcelist": "sources.list",
            "Dir::Etc::sourceparts": "parts",
            "Dir::Etc::parts": "parts",
            "Dir::Etc::preferences": "no-preferences",
            "Dir::Etc::preferencesparts": "parts",
        }
        lines = [f'{key} "{directory.resolve() / name}";' for key, name in settings.items()]
        lines += ['APT::Sandbox::User "root";', 'Acquire::Languages "none";', 'Acquire::Retries "3";']
        lines += [
            'APT::Architecture "amd64";',
            'APT::Architectures "amd64";',
            'APT::Install-Recommends "false";',
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._run(["apt-get", "-qq", "update"])

    def find_kernel(self, *, suite: str = "") -> tuple[str, ...]:
        """The names of the versioned packages that linux-image-amd64 stands for, of `suite` or the newest known. Raises
        BootosError: there are none; ToolError."""
        target = ["--target-release", suite] if suite else []
        printed = self._run(["apt-get", "--simulate", *target, "install", "linux-image-amd64"])
        found = parse_kernel(printed)
        if not found:
            raise BootosError("the Debian archive offers no kernel behind linux-image-amd64")
        return found

    def resolve(self, packages: Sequence[str]) -> tuple[Package, ...]:
        """The packages and all they depend on, as apt would install them into an empty system. Raises ToolError: there
        is no such package."""
        return parse_uris(self._run([*PRINT_URIS, "--yes", "install", *packages]))

    def locate(self, packages: Sequence[str], *, suite: str = "") -> tuple[Package, ...]:
        """The packages alone. Raises ToolError: there is no such package."""
        names = [f"{name}/{suite}" if suite else name for name in packages]
        return parse_uris(self._run([*PRINT_URIS, "download", *names]))

    def download(self, packages: Sequence[str], directory: Path, *, suite: str = "") -> list[Path]:
        """Download the packages (not what they depend on); returns the .deb files, sorted. Raises ToolError."""
        directory.mkdir(parents=True, exist_ok=True)
        names = [f"{name}/{suite}" if suite else name for name in packages]
        self._run(["apt-get", "-qq", "download", *names], cwd=directory)
        return sorted(directory.glob("*.deb"))

    def _run(self, argv: Sequence[str], cwd: Path | None = None) -> str:
        return run(argv, env={"APT_CONFIG": str(self._config)}, cwd=cwd, timeout_s=1800).stdout


def extract_package(deb: Path, directory: Path) -> None:
    """Unpack a .deb's files (dpkg-deb(1)), running none of its scripts. Raises ToolError."""
    directory.mkdir(parents=True, exist_ok=True)
    run(["dpkg-deb", "--extract", deb, directory], timeout_s=600)


def read_package_version(deb: Path) -> tuple[str, str]:
    """(name, version) of a .deb. Raises ToolError."""
    printed = run(["dpkg-deb", "--show", "--showformat=${Package}\\t${Version}", deb]).stdout
    name, _, version = printed.partition("\t")
    return name, version.strip()
