"""`oob.ipmi` against the lab's BMC: ipmitool on both ways to it, OpenIPMI's simulator behind, and no machine.

What a change of the cipher suites did is seen by a login over the LAN with each of them.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from handclock import StillClock
from ipmidevice import IpmiDevice

from bootos.drivers.contract import DriverError, Forecast, Machine
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.hardware.bmc import read_bmc
from bootos.lab.bmc import Bmc
from bootos.lab.socket_place import open_socket_place
from bootos.lab.spec import BmcSpec, Identity
from bootos.template.check import read_template
from bootos.wire import inventory

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("ipmi_sim") and shutil.which("ipmitool")), reason="needs openipmi and ipmitool"
    ),
    pytest.mark.timeout(600),  # it runs ipmitool some 150 times
]

SUPERMICRO, AMI = 10876, 20974  # by number and by place, as their BMCs do
ALL_OPEN = "a" * 15
SUITES = (1, 2, 3, 6, 7, 8, 11, 12)
SPOKEN = (1, 2, 3, 6)  # of those, by ipmitool and the simulator
ADDRESS = "10.0.8.21"


class Bench:
    """A BMC and the machine that it is in."""

    def __init__(self, bmc: Bmc, device: IpmiDevice) -> None:
        self.bmc = bmc
        self.run = device.run

    def apply(self, suites: Sequence[int]) -> None:
        """Read, plan and apply once; what is left afterwards is looked at from outside."""
        user = {"name": self.bmc.spec.user, "password": self.bmc.spec.password}
        template, problems = read_template(
            {"name": "t", "oob": {"users": [user], "cipher_suites": list(suites)}}
        )
        assert template is not None and problems == []
        machine, driver = Machine(run=self.run), IpmiDriver(clock=StillClock(pace=8.0))
        known = inventory.Inventory(collected_at="t", bmc=inventory.Bmc(channel=1))
        planned = driver.plan(driver.read(machine, known), template, {}, Forecast())
        assert planned.problems == []
        for action in planned.actions:
            driver.apply(machine, action, {})

    def find_open(self, suites: Sequence[int] = SPOKEN) -> list[int]:
        """Those with which the account gets in from outside."""
        spec = self.bmc.spec
        return [suite for suite in suites if self.bmc.check_login(spec.user, spec.password, suite=suite)]

    def read_levels(self) -> str:
        """As the machine itself is told."""
        lines = self.run(["ipmitool", "lan", "print", "1"]).stdout.splitlines()
        (line,) = (line for line in lines if line.startswith("Cipher Suite Priv Max"))
        return line.partition(":")[2].strip()


Start = Callable[..., Bench]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as ending:

        def start_bench(**spec: Any) -> Bench:
            told = BmcSpec(address=ADDRESS, subnet_mask="255.255.255.0", shares_port=False, **spec)
            bmc = Bmc(told, tmp_path / "bmc", identity=Identity())
            ending.callback(bmc.stop)
            bmc.start()
            device = IpmiDevice(bmc, Path(ending.enter_context(open_socket_place())))
            ending.callback(device.close)
            return Bench(bmc, device)

        yield start_bench


@pytest.mark.parametrize(
    ("maker", "index", "levels"),
    [(SUPERMICRO, "number", "aXXaaaXXXaaXXaa"), (AMI, "place", "XXaXXXXXaaaaaaa")],
)
def test_the_suites_that_are_wanted_alone_let_in_from_outside(
    start: Start, maker: int, index: str, levels: str
) -> None:
    bench = start(maker=maker, cipher_suites=SUITES, cipher_index=index)
    assert bench.find_open() == [1, 2, 3, 6]
    bench.apply([3])
    assert bench.find_open() == [3]
    assert bench.read_levels() == levels


@pytest.mark.parametrize(("maker", "index"), [(SUPERMICRO, "place"), (AMI, "number")])
def test_a_change_that_would_lock_out_is_taken_back_over_kcs(start: Start, maker: int, index: str) -> None:
    """The maker says the other index than the BMC has."""
    bench = start(maker=maker, cipher_suites=SUITES, cipher_index=index)
    with pytest.raises(
        DriverError, match=rf"could not log in .* as with 3 before: the levels are {ALL_OPEN} again"
    ):
        bench.apply([3])
    assert bench.read_levels() == ALL_OPEN
    assert bench.find_open() == [1, 2, 3, 6]


def test_an_open_suite_0_lets_everybody_in_is_found_and_is_closed(start: Start) -> None:
    bench = start(cipher_suites=(0, 1, 2, 3))
    intruder = bench.bmc.spec.user, "not the password"
    assert bench.bmc.check_login(*intruder, suite=0)
    assert read_bmc(bench.run).suite_0_open
    bench.apply([3])
    assert not bench.bmc.check_login(*intruder, suite=0)
    assert not read_bmc(bench.run).suite_0_open
    assert bench.find_open([0, 1, 2, 3]) == [3]


def test_a_suite_lets_in_up_to_its_level_alone_and_remembers_it(start: Start) -> None:
    bench = start(cipher_suites=(0, 1, 2, 3), cipher_levels="XuoaXXXXXXXXXXX")
    asked = {
        suite: [
            level
            for level in ("USER", "OPERATOR", "ADMINISTRATOR")
            if bench.bmc.run_ipmitool("-L", level, "mc", "guid", suite=suite).returncode == 0
        ]
        for suite in (1, 2, 3)
    }
    assert asked == {
        1: ["USER"],
        2: ["USER", "OPERATOR"],
        3: ["USER", "OPERATOR", "ADMINISTRATOR"],
    }
    bench.apply([1, 2])
    assert bench.read_levels() == "XuoXXXXXXXXXXXX"
