"""`oob.sh`, from its words to what it did to a BMC that remembers."""

from pathlib import Path

import pytest
from bmcmachine import BmcMachine
from handclock import StillClock

from bootos.agent.vendor_command.main import run_command
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.wire.inventory import Bmc, Inventory

OOB = "/opt/yunji/osinstall/dell/oob.sh"
PASSWORD = 'calvin "1'


class Rack:
    """A machine with a BMC."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.fake = BmcMachine()
        self.fake.machine.root = root
        self.capsys = capsys
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())

    def call(self, *words: str) -> tuple[int, str]:
        self.fake.calls.clear()
        clock = StillClock()
        driver = IpmiDriver(clock=clock)
        code = run_command(OOB, words, self.fake.machine, lambda: self.inventory, drivers=[driver])
        return code, self.capsys.readouterr().out


@pytest.fixture
def rack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rack:
    return Rack(tmp_path, capsys)


STATIC = ("-n", "static", "-i", "10.0.8.21", "-m", "255.255.255.0", "-g", "10.0.8.1")


def test_address_user_and_password_in_one_call_and_the_second_plans_nothing(rack: Rack) -> None:
    words = (*STATIC, "-u", "root", "-p", PASSWORD)
    code, said = rack.call(*words)
    assert code == 0, said
    assert rack.fake.lan == {
        "source": "static",
        "ipaddr": "10.0.8.21",
        "netmask": "255.255.255.0",
        "gateway": "10.0.8.1",
    }
    user = rack.fake.users[3]
    assert (user.name, user.privilege, user.enabled) == ("root", 4, True)
    assert user.password.rstrip(b"\0").decode() == PASSWORD
    code, said = rack.call(*words)
    assert (code, said.splitlines()[-1]) == (0, "oob.sh: nothing to do: the machine is as wanted")


def test_one_call_for_each_thing_as_stock_templates_have_it(rack: Rack) -> None:
    assert rack.call("-n", "dhcp")[0] == 0
    assert rack.call(*STATIC)[0] == 0
    assert rack.call("-u", "root", "-p", PASSWORD)[0] == 0
    assert rack.fake.users[3].name == "root"


def test_the_password_is_in_no_command_and_in_nothing_that_is_printed(rack: Rack) -> None:
    for password in (PASSWORD, "another-one"):
        _, said = rack.call("-u", "root", "-p", password)
        assert password not in said
        assert password not in repr(rack.fake.calls)
    _, said = rack.call("-u", "root", "-p", "far-too-long-for-ipmi-2.0")
    assert "far-too" not in said
    assert "-p: is longer than 20 bytes" in said


def test_the_password_in_a_call_of_its_own_is_for_the_user_of_the_call_before(rack: Rack) -> None:
    code, said = rack.call("-p", "secret-1")
    assert code == 1
    assert "-p says a password, but not whose (give -u NAME with it, or in a call before it)" in said
    assert rack.call("-u", "ADMIN")[0] == 0
    code, said = rack.call("-p", "secret-1")
    assert code == 0
    assert "-p without -u: the user of the call before, ADMIN" in said
    assert rack.fake.users[2].password.rstrip(b"\0") == b"secret-1"


def test_a_new_user_waits_for_the_call_with_its_password_as_older_templates_have_it(rack: Rack) -> None:
    code, said = rack.call("-u", "root")
    assert code == 0
    assert "nothing was changed: the BMC has no user root yet; the call with -p PASSWORD that has to" in said
    assert rack.call("-p", "calvin")[0] == 0
    user = rack.fake.users[3]
    assert (user.name, user.privilege, user.password.rstrip(b"\0")) == ("root", 4, b"calvin")


def test_a_new_user_without_a_password_is_refused_beside_other_things(rack: Rack) -> None:
    code, said = rack.call(*STATIC, "-u", "root")
    assert code == 1
    assert "error: -p: 'root' is new and needs a password" in said
    assert rack.fake.lan["source"] == "dhcp"


def test_a_reset_alone_is_always_done_and_with_a_change_only_after_it(rack: Rack) -> None:
    for count in (1, 2):
        code, said = rack.call("-r")
        assert (code, rack.fake.resets) == (0, count), said
        rack.fake.deaf = 0
    assert rack.call(*STATIC, "-r")[0] == 0
    assert rack.fake.resets == 3
    rack.fake.deaf = 0
    assert rack.call(*STATIC, "-r")[0] == 0
    assert rack.fake.resets == 3


def test_a_machine_without_a_bmc_says_where_it_was_looked_for(rack: Rack) -> None:
    rack.inventory.bmc = None
    code, said = rack.call("-r")
    assert code == 1
    assert "no BMC was found on this machine (it is looked for on the local interface, /dev/ipmi0)" in said
