"""Against the real `ipmi_sim` and `ipmitool`, without a machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.lab.bmc import Bmc
from bootos.lab.chassis import Chassis
from bootos.lab.spec import BmcSpec, Identity
from bootos.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not (shutil.which("ipmi_sim") and shutil.which("ipmitool")), reason="needs openipmi and ipmitool"
)


class Switch(Chassis):
    """Keeps what was done to the machine."""

    def __init__(self) -> None:
        self.on = True
        self.done: list[str] = []

    def is_on(self) -> bool:
        return self.on

    def power_on(self) -> None:
        self.on = True
        self.done.append("on")

    def power_off(self) -> None:
        self.on = False
        self.done.append("off")

    def reset(self) -> None:
        self.done.append("reset")


def build_bmc(directory: Path) -> Bmc:
    spec = BmcSpec(user="root", password="calvin-0")
    # ipmitool guesses the order of a GUID's bytes, and this one fits one order alone
    uuid = "b0075000-0000-4000-8000-000000000077"
    one = Bmc(spec, directory, identity=Identity(serial="SN77", vendor="Acme", uuid=uuid))
    one.chassis = Switch()
    one.start()
    return one


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bmc]:
    """For tests that only ask it."""
    one = build_bmc(tmp_path_factory.mktemp("bmc"))
    yield one
    one.stop()


@pytest.fixture
def bmc(tmp_path: Path) -> Iterator[Bmc]:
    one = build_bmc(tmp_path)
    yield one
    one.stop()


def test_only_the_right_password_logs_in(unchanged: Bmc) -> None:
    assert unchanged.check_login("root", "calvin-0")
    assert not unchanged.check_login("root", "wrong")
    assert not unchanged.check_login("nobody", "calvin-0")


def test_the_product_serial_is_the_machines(unchanged: Bmc) -> None:
    text = unchanged.run_ipmitool("fru", "print").stdout
    assert "Product Serial        : SN77" in text
    assert "Product Manufacturer  : Acme" in text


def test_a_sensor_reads_and_the_guid_is_the_machines(unchanged: Bmc) -> None:
    assert "Inlet Temp       | 24 degrees C" in unchanged.run_ipmitool("sdr", "list").stdout
    assert unchanged._identity.uuid in unchanged.run_ipmitool("mc", "guid").stdout


def test_an_address_that_was_set_is_read_back_and_outlives_a_restart(bmc: Bmc) -> None:
    for words in (["ipsrc", "static"], ["ipaddr", "10.0.8.21"], ["netmask", "255.255.255.0"]):
        assert bmc.run_ipmitool("lan", "set", "1", *words).returncode == 0
    assert bmc.read_lan()["ip_addr"] == "10.0.8.21"
    bmc.stop()
    bmc.start()
    assert "IP Address              : 10.0.8.21" in bmc.run_ipmitool("lan", "print", "1").stdout


def test_a_new_user_logs_in_and_outlives_a_restart(bmc: Bmc) -> None:
    for words in (
        ["set", "name", "4", "ops"],
        ["set", "password", "4", "S3cret-0123456", "16"],
        ["priv", "4", "3", "1"],
        ["enable", "4"],
    ):
        assert bmc.run_ipmitool("user", *words).returncode == 0
    bmc.run_ipmitool("channel", "setaccess", "1", "4", "ipmi=on", "link=on", "privilege=3")
    assert bmc.check_login("ops", "S3cret-0123456")
    assert not bmc.check_login("ops", "S3cret")
    assert {user.name: (user.id, user.privilege) for user in bmc.read_users()} == {
        "root": (2, "ADMINISTRATOR"),
        "ops": (4, "OPERATOR"),
    }
    bmc.stop()
    bmc.start()
    assert bmc.check_login("ops", "S3cret-0123456")
    assert bmc.read_users()[-1].privilege == "OPERATOR"


def test_power_goes_to_the_machine_and_a_boot_device_is_kept(bmc: Bmc) -> None:
    switch = bmc.chassis
    assert isinstance(switch, Switch)
    assert "is on" in bmc.run_ipmitool("chassis", "power", "status").stdout
    assert bmc.run_ipmitool("chassis", "bootdev", "pxe").returncode == 0
    assert bmc.boot_device == "pxe"
    bmc.run_ipmitool("chassis", "power", "reset")
    assert switch.done == ["reset"]
    bmc.run_ipmitool("chassis", "power", "off")

    def is_off() -> bool:
        assert bmc.run_ipmitool("chassis", "power", "status").returncode == 0
        return not switch.on

    wait_for(is_off, 10, what="the end of the power")
    assert switch.done == ["reset", "off"]
    assert "is off" in bmc.run_ipmitool("chassis", "power", "status").stdout
