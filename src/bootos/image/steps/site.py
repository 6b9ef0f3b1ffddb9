"""What a site adds to stage `layer` by the recipe's [system]: SSH keys, certificates, root password, units, scripts.

Programs of the image (update-ca-certificates, the site's scripts) run in its root, with the layer as the upper
directory of an overlay, without network.
"""

import configparser
import shutil
from collections.abc import Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.layers.chroot import prepare_chroot, run_inside
from bootos.image.layers.overlay import open_trees
from bootos.image.layers.upper import expand_opaque
from bootos.image.recipe import Site
from bootos.image.steps.root import lock_passwords
from bootos.process import run

UNITS = "etc/systemd/system"
CERTIFICATES = "usr/local/share/ca-certificates"
SCRIPT_S = 1800.0
SSH_UNIT = """\
[Unit]
Description=SSH for those whose keys the recipe names
After=bootos-agent.service

[Service]
# -R: a host key for this boot; -s: keys only; -E: to the journal; -F: stays in the foreground
ExecStart=/usr/sbin/dropbear -F -E -R -s
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def apply_system(site: Site, base: Path, packages: Path, root: Path, work: Path) -> None:
    """Lay the recipe's [system] over the layer's tree `root`; `base` is what lies below it, and between them the
    squashfs `packages`, where the recipe has packages of its own. Scripts come last. Raises BootosError: one failed."""
    system, files = site.system, site.files
    if system.ssh_keys:
        add_ssh_keys(root, system.ssh_keys)
    if system.root_password_hash:
        set_password(base, root, system.root_password_hash)
    if site.shell == "password":
        ask_password(root)
    for unit in files["units"]:
        add_unit(root, unit.name, unit.read_text())
    for certificate in files["ca_certificates"]:
        target = root / CERTIFICATES / f"{certificate.stem}.crt"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(certificate, target)
    if files["ca_certificates"] or files["scripts"]:
        below = [base]
        if packages.is_file():
            work.mkdir(parents=True)
            below.append(work / "packages")
            run(["unsquashfs", "-quiet", "-no-progress", "-dest", below[-1], packages], timeout_s=600)
        with open_trees(below, work, root) as merged, prepare_chroot(merged):
            if files["ca_certificates"]:
                run_inside(merged, ["update-ca-certificates"], network=False)
            for number, script in enumerate(files["scripts"]):
                run_script(merged, script, f"system.scripts[{number}]")
            expand_opaque(root, work / "layers")


def run_script(root: Path, script: Path, place: str) -> None:
    """Run a program of the site in the open, prepared root. Raises BootosError that names its `place` in the recipe."""
    inside = root / "tmp/script"
    shutil.copyfile(script, inside)
    inside.chmod(0o755)
    try:
        run_inside(root, ["/tmp/script"], timeout_s=SCRIPT_S, network=False)
    except BootosError as cause:
        raise BootosError(f"{place} ({script}) failed") from cause
    inside.unlink()


def add_ssh_keys(root: Path, keys: Sequence[str]) -> None:
    """Let root in by these keys (the authorized_keys of sshd(8)), and start the server."""
    target = root / "root/.ssh/authorized_keys"
    target.parent.mkdir(parents=True, exist_ok=True)
    for directory in (root / "root", target.parent):
        directory.chmod(0o700)
    target.write_text("".join(f"{key}\n" for key in keys))
    target.chmod(0o600)
    (root / "etc/dropbear").mkdir(parents=True, exist_ok=True)
    add_unit(root, "bootos-ssh.service", SSH_UNIT)


def set_password(base: Path, root: Path, password_hash: str) -> None:
    """Give root a password by its hash (crypt(5)); every other account stays locked."""
    lines = lock_passwords((base / "etc/shadow").read_text()).splitlines(keepends=True)
    shadow = "".join(
        line.replace(":*:", f":{password_hash}:", 1) if line.startswith("root:") else line for line in lines
    )
    target = root / "etc/shadow"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(shadow)
    target.chmod(0o600)


def ask_password(root: Path) -> None:
    """Let the console's shell ask for root's password first."""
    shell = root / "usr/lib/bootos/shell"
    shell.parent.mkdir(parents=True, exist_ok=True)
    shell.write_text('#!/bin/sh\nexec /usr/sbin/sulogin --login-shell "$(tty)"\n')
    shell.chmod(0o755)


def add_unit(root: Path, name: str, text: str) -> None:
    """Install a unit and enable it as its [Install] section says."""
    units = root / UNITS
    units.mkdir(parents=True, exist_ok=True)
    (units / name).write_text(text)
    for kind, target in find_targets(text):
        link = units / f"{target}.{kind}" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{name}")


def find_targets(text: str) -> list[tuple[str, str]]:
    """(wants or requires, unit) pairs of a unit's [Install] section (systemd.unit(5))."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    found = []
    for key, kind in (("WantedBy", "wants"), ("RequiredBy", "requires")):
        found += [(kind, name) for name in parser.get("Install", key, fallback="").split()]
    return found
