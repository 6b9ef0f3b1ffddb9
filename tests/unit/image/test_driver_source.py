"""A driver's source: which spec builds it, and why a build failed."""

import io
import tarfile
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.image.driver.build import find_reason
from bootos.image.driver.source import Source, check_source_name, read_source
from bootos.image.driver.workshop import add_backports, choose_sources

SPEC = "Name: igb\nVersion: 5.3.2\nRelease: 1\nSource: %{name}-%{version}.tar.gz\n"


def build_tar(directory: Path, *names: str, text: str = SPEC) -> Path:
    target = directory / "igb-5.3.2.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return target


def test_the_spec_inside_is_found(tmp_path: Path) -> None:
    source = read_source(build_tar(tmp_path, "igb-5.3.2/src/igb.c", "igb-5.3.2/igb.spec"))
    assert (source.spec_name, source.spec) == ("igb.spec", SPEC)
    check_source_name(source)


def test_of_several_specs_the_topmost_is_meant(tmp_path: Path) -> None:
    tar = build_tar(tmp_path, "igb-5.3.2/other/old.spec", "igb-5.3.2/igb.spec")
    assert read_source(tar).spec_name == "igb.spec"
    assert read_source(tar, Path("old.spec")).spec_name == "old.spec"


def test_several_at_the_top_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(BootosError, match=r"several specs: a/x.spec, a/y.spec"):
        read_source(build_tar(tmp_path, "a/x.spec", "a/y.spec"))


def test_a_spec_beside_the_tar_is_taken(tmp_path: Path) -> None:
    spec = tmp_path / "mine.spec"
    spec.write_text(SPEC)
    assert read_source(build_tar(tmp_path, "igb-5.3.2/igb.c"), spec).spec_name == "mine.spec"


def test_a_source_without_a_spec_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BootosError, match=r"has no \.spec inside") as raised:
        read_source(build_tar(tmp_path, "igb-5.3.2/igb.c"))
    assert "--spec" in raised.value.hint
    with pytest.raises(BootosError, match=r"no spec none\.spec"):
        read_source(tmp_path / "igb-5.3.2.tar.gz", Path("none.spec"))


def test_what_is_no_tar_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_text("text")
    with pytest.raises(BootosError, match="is no tar file, or a damaged one"):
        read_source(tmp_path / "a.tar.gz")
    with pytest.raises(BootosError, match="is no file"):
        read_source(tmp_path / "missing.tar.gz")


@pytest.mark.parametrize(
    "name", ["%{name}-%{version}.tar.gz", "http://x/%{name}-%{version}.tar.gz", "%{unknown}.tar"]
)
def test_a_source_that_the_spec_names_is_accepted(name: str) -> None:
    spec = SPEC.replace("%{name}-%{version}.tar.gz", name)
    assert name in spec
    check_source_name(Source(tar=Path("igb-5.3.2.tar.gz"), spec_name="igb.spec", spec=spec))


def test_a_renamed_source_is_said_before_anything_is_built() -> None:
    with pytest.raises(BootosError, match=r"unpacks igb-5.3.2.tar.gz, but the source is called new.tar.gz"):
        check_source_name(Source(tar=Path("new.tar.gz"), spec_name="igb.spec", spec=SPEC))


def test_the_compiler_s_errors_come_first_and_the_end_last() -> None:
    lines = [f"line {number}" for number in range(100)]
    lines[3] = "igb_main.c:7:1: error: unknown type name 'u33'"
    reason = find_reason(lines).splitlines()
    assert reason[0].strip() == lines[3]
    assert reason[-1].strip() == "line 99"
    assert len(reason) == 16


def test_the_clean_root_comes_from_the_image_s_own_archive() -> None:
    text = "# x\ndeb [trusted=yes] file:/mirror trixie main contrib\ndeb http://a trixie-updates main\n"
    suite, lines = choose_sources(text)
    assert suite == "trixie"
    assert lines[0].endswith("] file:/mirror trixie main contrib")
    assert "signed-by=" in lines[1]
    assert add_backports(lines[0], suite).endswith("] file:/mirror trixie-backports main contrib")
