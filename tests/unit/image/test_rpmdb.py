from bootos.image.steps.rpmdb import build_provides, build_spec, parse_provides, rpm_version


def test_debian_versions_become_versions_rpm_accepts() -> None:
    assert rpm_version("257.13-1~deb13u1") == "257.13-1~deb13u1"
    assert rpm_version("1:2.40.1-9.1+b2") == "1:2.40.1-9.1+b2"
    assert rpm_version("6.13.0-2+deb13u1") == "6.13.0-2+deb13u1"
    assert rpm_version("3.0+dfsg-really-2") == "3.0+dfsg_really-2"
    assert rpm_version("13") == "13"


def test_a_program_is_provided_under_both_its_paths() -> None:
    provides = build_provides([], {}, ["/usr/bin/sh", "/usr/bin/python3"], release="13")
    assert {"/usr/bin/sh", "/bin/sh", "/usr/bin/python3", "/bin/python3"} <= set(provides)


def test_libraries_packages_and_the_dynamic_loader_are_provided() -> None:
    libraries = parse_provides("libc.so.6()(64bit)\nlibc.so.6(GLIBC_2.34)(64bit)\n\nlibc.so.6()(64bit)\n")
    provides = build_provides(libraries, {"bash": "5.2.37-2"}, [], release="13")
    assert provides == [
        "bash = 5.2.37-2",
        "libc.so.6()(64bit)",
        "libc.so.6(GLIBC_2.34)(64bit)",
        "rtld(GNU_HASH)",
        "system-release = 13",
        "system-release(releasever) = 13",
    ]


def test_the_spec_has_one_line_for_each_provide() -> None:
    spec = build_spec(["/bin/sh", "bash = 5"], "0.1.0")
    assert "Provides: /bin/sh\nProvides: bash = 5\n" in spec
    assert spec.startswith("Name: bootos-base\nVersion: 0.1.0\n")
    assert "%transfiletriggerin -P 2000000 -- /lib /usr/lib /lib64 /usr/lib64\n/sbin/ldconfig\n" in spec
