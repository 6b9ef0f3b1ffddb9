import subprocess
from pathlib import Path

from bootos.image.recipe import Boot, Cut
from bootos.image.squash import build_layers
from bootos.image.steps.bytecode import make_relative, remove_sources
from bootos.image.steps.root import cut_boot, cut_paths, lock_passwords, make_stateless


def test_cut_paths_go_and_kept_ones_stay(tmp_path: Path) -> None:
    for name in (
        "usr/share/doc/a/copyright",
        "usr/lib/gconv/UTF-16.so",
        "usr/lib/gconv/BIG5.so",
        "usr/bin/tool",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    cut_paths(tmp_path, Cut(paths=("/usr/share/doc", "/usr/lib/gconv"), keep=("/usr/lib/gconv/UTF*",)))
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["usr/bin/tool", "usr/lib/gconv/UTF-16.so"]
    assert not (tmp_path / "usr/share/doc").exists()


def test_only_listed_units_rules_and_generators_can_act_by_themselves(tmp_path: Path) -> None:
    wants = tmp_path / "usr/lib/systemd/system/sysinit.target.wants"
    enabled = tmp_path / "etc/systemd/system/timers.target.wants"
    rules = tmp_path / "usr/lib/udev/rules.d"
    generators = tmp_path / "usr/lib/systemd/system-generators"
    tmpfiles = tmp_path / "usr/lib/tmpfiles.d"
    for directory in (wants, enabled, rules, generators, tmpfiles):
        directory.mkdir(parents=True)
    (wants / "systemd-udevd.service").symlink_to("../systemd-udevd.service")
    (wants / "lvm2-monitor.service").symlink_to("../lvm2-monitor.service")
    (enabled / "fstrim.timer").symlink_to("/usr/lib/systemd/system/fstrim.timer")
    (rules / "80-drivers.rules").touch()
    (rules / "64-md-raid-assembly.rules").touch()
    (generators / "systemd-gpt-auto-generator").touch()
    cut_boot(tmp_path, Boot(units=("systemd-udevd.service",), udev_rules=("80-drivers.rules",)))
    assert [p.name for p in wants.iterdir()] == ["systemd-udevd.service"]
    assert [p.name for p in rules.iterdir()] == ["80-drivers.rules"]
    assert not any(enabled.iterdir()) and not any(generators.iterdir())


def test_no_account_keeps_a_password() -> None:
    shadow = "root:$y$j9T$abc:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nempty::20000::::::\n"
    locked = [line.split(":") for line in lock_passwords(shadow).splitlines()]
    assert [fields[1] for fields in locked] == ["*", "*", "*"]
    assert {fields[2] for fields in locked} == {"20089"}, "the day the image was built at is not in it"


def test_what_an_installation_made_by_chance_is_in_no_image(tmp_path: Path) -> None:
    names = ("etc/machine-id", "etc/nvme/hostid", "etc/nvme/hostnqn", "var/lib/systemd/random-seed")
    for name in (*names, "etc/shadow"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0a1b2c3d\n")
    make_stateless(tmp_path)
    left = {name for name in names if (tmp_path / name).exists() and (tmp_path / name).read_text()}
    assert not left


def test_a_source_file_goes_only_when_its_compiled_form_is_there(tmp_path: Path) -> None:
    for name in ("a.py", "a.pyc", "broken.py", "package/b.py", "package/b.pyc", "data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_sources(tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["a.pyc", "broken.py", "data.txt", "package/b.pyc"]


def test_a_link_to_a_file_of_the_image_does_not_lead_to_the_build_hosts(tmp_path: Path) -> None:
    library = tmp_path / "usr/lib/python3.13"
    library.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/site.py").write_text("here = 1\n")
    (library / "sitecustomize.py").symlink_to("/etc/site.py")
    make_relative(tmp_path, library)
    assert (library / "sitecustomize.py").readlink().as_posix() == "../../../etc/site.py"
    assert (library / "sitecustomize.py").read_text() == "here = 1\n"


def test_what_a_boot_reads_lies_in_a_layer_of_its_own_and_nothing_in_both(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("usr/bin/used", "usr/bin/other", "usr/lib/used/a b"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "usr/bin/link").symlink_to("used")
    build_layers(tree, tmp_path, "root", "xz", ("/usr/bin/used", "/usr/lib/used"))
    found = {}
    for name in ("root", "root-hot"):
        out = tmp_path / name
        subprocess.run(
            ["unsquashfs", "-q", "-n", "-d", out, tmp_path / f"{name}.squashfs"], check=True, timeout=60
        )
        found[name] = sorted(
            path.relative_to(out).as_posix()
            for path in out.rglob("*")
            if not path.is_dir() or path.is_symlink()
        )
    assert found == {
        "root": ["usr/bin/link", "usr/bin/other"],
        "root-hot": ["usr/bin/used", "usr/lib/used/a b"],
    }


def test_without_hot_paths_there_is_one_layer(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    build_layers(tmp_path / "tree", tmp_path, "root", "zstd", ())
    assert sorted(path.name for path in tmp_path.glob("*.squashfs")) == ["root.squashfs"]
