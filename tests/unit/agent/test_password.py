"""Passwords in the scripts of v1 templates."""

import pytest

from bootos.wire.password import ScriptMasker, find_secrets


@pytest.mark.parametrize(
    "text",
    [
        "oob.sh -u root -p calvin",
        "oob.sh -u root -p 'calvin'",
        'oob.sh -u root -p "calvin"; echo done',
        "oob.sh -u root \\\n  -p calvin -r",
        "oob.sh -u root -pcalvin",
        "oob.sh -rpcalvin -u root",
        "oob.sh --password calvin",
        "oob.sh --password=calvin",
        "ipmitool -U root -P calvin chassis status",
        "ipmitool user set password 2 calvin",
        'BMC_PASSWORD=calvin\noob.sh -p "$BMC_PASSWORD"',
        'word=calvin\noob.sh -p "${word}"',
        'bash -c "oob.sh -p calvin"',
    ],
)
def test_a_password_is_found_and_masked_wherever_it_is_printed(text: str) -> None:
    secrets = find_secrets(text)
    assert "calvin" in secrets
    assert ScriptMasker(secrets).text("+ the password is calvin.") == "+ the password is ********."


def test_what_follows_the_option_is_masked_even_when_it_is_not_known() -> None:
    assert ScriptMasker().text("+ oob.sh -u root -p 12 -r") == "+ oob.sh -u root -p ******** -r"
    assert ScriptMasker().text("+ oob.sh -u root -p12 -r") == "+ oob.sh -u root -p******** -r"
    assert ScriptMasker().text("usage: --password hunter2") == "usage: --password ********"


@pytest.mark.parametrize(
    "text", ["mkdir -p /opt/tools", "a && sudo mkdir -p /opt/tools", "cp -p /opt/tools /x"]
)
def test_other_commands_have_no_password_behind_their_option(text: str) -> None:
    assert find_secrets(text) == ()
    assert ScriptMasker().text(text) == text
