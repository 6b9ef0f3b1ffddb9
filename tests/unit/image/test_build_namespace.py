import pytest

from bootos.errors import BootosError
from bootos.image.namespace import build_command, check_subordinate_ids


def test_root_keeps_its_ids_and_a_user_becomes_root_inside() -> None:
    assert "--map-root-user" not in build_command(0, ["bootos"])
    command = build_command(1000, ["bootos", "image", "build"])
    assert "--map-root-user" in command and "--map-auto" in command
    assert command[-3:] == ["bootos", "image", "build"]


def test_what_a_build_started_and_mounted_ends_with_it() -> None:
    assert {"--mount", "--pid", "--kill-child"} <= set(build_command(0, ["bootos"]))


def test_a_user_without_subordinate_ids_is_told_how_to_get_them() -> None:
    tables = {"/etc/subuid": "root:100000:65536\nops:165536:65536\n", "/etc/subgid": "ops:165536:1000\n"}
    check_subordinate_ids("ops", 1000, {"/etc/subuid": tables["/etc/subuid"]})
    with pytest.raises(BootosError, match="/etc/subgid gives ops no") as caught:
        check_subordinate_ids("ops", 1000, tables)
    assert "usermod --add-subuids" in caught.value.hint
    with pytest.raises(BootosError, match="/etc/subuid gives 1001 no"):
        check_subordinate_ids("", 1001, tables)


def test_ids_may_be_given_to_a_number_as_well() -> None:
    table = {"/etc/subuid": "1000:100000:65536\n"}
    check_subordinate_ids("ops", 1000, table)
    with pytest.raises(BootosError, match="/etc/subuid gives ops no"):
        check_subordinate_ids("ops", 1001, table)
