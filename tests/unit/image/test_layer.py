import zipfile
from pathlib import Path

import msgspec

from bootos import __version__
from bootos.image.recipe import Repository
from bootos.image.recipe_file import read_recipe
from bootos.image.steps.layer import (
    ROOTFS,
    build_wheel,
    collect_agent_sources,
    copy_rootfs,
    find_project,
    install_agent,
    link_units,
    link_vendor_scripts,
    write_repositories,
)

UNITS = "etc/systemd/system"


def test_the_layer_takes_the_agent_and_its_entry_points_and_not_the_server(tmp_path: Path) -> None:
    wheel = tmp_path / "bootos-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("bootos/errors.py", "bootos/agent/main.py", "bootos/server/app.py", "bootos/cli.py"):
            archive.writestr(name, "")
        for name in ("METADATA", "entry_points.txt", "RECORD"):
            archive.writestr(f"bootos-0.1.0.dist-info/{name}", "")
    install_agent(wheel, tmp_path / "root")
    packages = tmp_path / "root/usr/lib/python3/dist-packages"
    assert sorted(str(p.relative_to(packages)) for p in packages.rglob("*") if p.is_file()) == [
        "bootos-0.1.0.dist-info/METADATA",
        "bootos-0.1.0.dist-info/entry_points.txt",
        "bootos/agent/main.py",
        "bootos/errors.py",
    ]


def test_the_wheel_has_what_the_key_of_the_layer_counts_and_nothing_else(tmp_path: Path) -> None:
    sources = collect_agent_sources(find_project())
    wheel = build_wheel(sources, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("bootos/")}
        metadata = archive.read(
            next(name for name in archive.namelist() if name.endswith("/METADATA"))
        ).decode()
    assert {f"src/bootos/{name.split('/')[1]}" for name in names} == {
        name for name in sources if name.startswith("src/")
    }
    assert {"bootos/agent/main.py", "bootos/drivers/bios/names/lenovo.toml"} <= names
    assert not [name for name in names if "__pycache__" in name]
    assert sources["README.md"].read_text() in metadata
    assert f"\nVersion: {__version__}\n" in metadata


def make_root(tmp_path: Path, *, shell: bool) -> Path:
    copy_rootfs(ROOTFS, tmp_path, programs=("usr/lib/bootos", "usr/bin"))
    link_units(tmp_path, shell=shell)
    return tmp_path


def test_programs_are_executable_and_settings_are_not(tmp_path: Path) -> None:
    root = make_root(tmp_path, shell=True)
    assert (root / "usr/bin/bootos-agent").stat().st_mode & 0o777 == 0o755
    assert (root / "usr/lib/bootos/say").stat().st_mode & 0o777 == 0o755
    assert (root / "etc/mdadm/mdadm.conf").stat().st_mode & 0o777 == 0o644


def test_every_enabled_unit_of_our_own_exists(tmp_path: Path) -> None:
    units = make_root(tmp_path, shell=True) / UNITS
    names = [link.name for link in units.glob("*.wants/bootos-*")]
    assert "bootos-agent.service" in names
    assert all((units / name).is_file() for name in names)


def test_a_recipe_without_shell_leaves_no_way_to_one(tmp_path: Path) -> None:
    root = make_root(tmp_path, shell=False)
    assert not list(root.rglob("*shell*"))
    assert not list(root.rglob("*emergency*"))
    assert (root / UNITS / "multi-user.target.wants/bootos-agent.service").is_symlink()


def test_units_that_would_watch_or_continue_arrays_by_themselves_are_masked(tmp_path: Path) -> None:
    units = make_root(tmp_path, shell=True) / UNITS
    assert str((units / "mdmonitor.service").readlink()) == "/dev/null"


def test_every_documented_vendor_script_leads_to_the_one_command(tmp_path: Path) -> None:
    root = make_root(tmp_path, shell=True)
    own = root / "opt/yunji/osinstall/dell/bios.sh"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\n")
    link_vendor_scripts(root)
    scripts = sorted((root / "opt/yunji/osinstall").rglob("*.sh"))
    assert len(scripts) == 18
    assert own.read_text() == "#!/bin/sh\n", "a site's own script stays"
    targets = {str(script.readlink()) for script in scripts if script.is_symlink()}
    assert targets == {"/usr/lib/bootos/vendor-command"}
    assert (root / "usr/lib/bootos/vendor-command").stat().st_mode & 0o777 == 0o755


def test_the_recipes_repositories_become_files_and_their_keys_are_named(tmp_path: Path) -> None:
    (tmp_path / "hw.asc").write_text("key")
    loaded = read_recipe(Path(__file__).parents[3] / "recipes/bootos.toml")
    repositories = {
        "hw": Repository(url="http://a/hw", key="hw.asc"),
        "open": Repository(url="http://a/open"),
    }
    recipe = msgspec.structs.replace(loaded.recipe, repositories=repositories)
    loaded = msgspec.structs.replace(loaded, recipe=recipe, directory=tmp_path)
    write_repositories(loaded.recipe.repositories, loaded.keys, tmp_path / "root")
    repos = tmp_path / "root/etc/yum.repos.d"
    assert "gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/hw\n" in (repos / "hw.repo").read_text()
    assert (tmp_path / "root/etc/pki/rpm-gpg/hw").read_text() == "key"
    assert "gpgcheck=0" in (repos / "open.repo").read_text()
