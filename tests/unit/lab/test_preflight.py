from pathlib import Path

from bootos.lab.preflight import REQUIREMENTS, find_missing_packages, find_requirements


def test_on_an_empty_host_everything_is_missing_at_once(tmp_path: Path) -> None:
    findings = find_requirements(parts=["pxe", "uefi"], root=tmp_path, env={"PATH": ""})
    assert all(finding.path == "" for finding in findings)
    assert find_missing_packages(findings) == ["ipxe-qemu", "ovmf", "pxelinux", "syslinux-common"]


def test_what_is_there_is_told_with_its_place(tmp_path: Path) -> None:
    for requirement in REQUIREMENTS:
        if requirement.is_file:
            place = tmp_path / requirement.name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        else:
            tool = tmp_path / "bin" / requirement.name
            tool.parent.mkdir(exist_ok=True)
            tool.touch(mode=0o755)
    findings = find_requirements(root=tmp_path, env={"PATH": str(tmp_path / "bin")})
    assert find_missing_packages(findings) == []
    assert all(finding.path.startswith(str(tmp_path)) for finding in findings)


def test_only_the_parts_that_are_asked_for_are_looked_at(tmp_path: Path) -> None:
    parts = {finding.requirement.part for finding in find_requirements(parts=["bmc"], root=tmp_path)}
    assert parts == {"bmc"}
