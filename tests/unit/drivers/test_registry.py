from typing import Any

from bootos.drivers.contract import Action, ArrayForecast, Driver, Forecast, Machine, Match, Planned
from bootos.drivers.registry import choose_drivers, load_drivers, match_drivers
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Bmc, Disk, Inventory, RaidController


class Controller:
    """A driver as another package would bring it."""

    section = "raid"
    title = "A controller"
    state_type = object

    def __init__(self, name: str, priority: int) -> None:
        self.name = name
        self.priority = priority

    def match(self, inventory: Inventory) -> Match | None:
        return Match(reason=f"{self.name} is there", priority=self.priority)

    def wants(self, template: Template) -> bool:
        return template.raid is not None

    def read(self, machine: Machine, inventory: Inventory) -> Any:
        return None

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        return Planned()

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None: ...


def build_inventory(*, bmc: bool = True) -> Inventory:
    disk = Disk(index=0, name="sda", path="/dev/sda", size_bytes=1)
    return Inventory(collected_at="2024-01-01T00:00:00Z", disks=[disk], bmc=Bmc() if bmc else None)


def build_template(**parts: Any) -> Template:
    template, _ = read_template({"name": "t", **parts})
    assert template is not None
    return template


SCRATCH = {"select": {"array": "scratch"}, "partitions": [{"name": "a", "size": "rest"}], "wipe": True}
RAID = {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]}
WHOLE = build_template(
    raid=RAID,
    oob={"network": {"source": "dhcp"}},
    disks=[{"select": {"array": "os"}, "partitions": [{"name": "a", "size": "rest", "filesystem": "ext4"}]}],
)


def test_drivers_work_in_the_documented_order_and_every_choice_says_why() -> None:
    chosen, problems = choose_drivers(build_inventory(), WHOLE)
    assert problems == []
    assert [choice.driver.name for choice in chosen] == [
        "raid.mdadm",
        "oob.ipmi",
        "disk.partition",
        "disk.filesystem",
    ]
    assert all(choice.reason for choice in chosen)


def test_only_what_the_template_asks_for_is_chosen() -> None:
    chosen, _ = choose_drivers(build_inventory(), build_template(raid=RAID))
    assert [choice.driver.name for choice in chosen] == ["raid.mdadm"]


def test_a_section_that_nothing_takes_is_a_problem() -> None:
    _, problems = choose_drivers(
        build_inventory(bmc=False), build_template(oob={"network": {"source": "dhcp"}})
    )
    assert [(problem.path, problem.hint) for problem in problems] == [("oob", "tried: oob.ipmi, oob.redfish")]


def test_a_machine_with_an_hba_alone_is_told_that_it_makes_no_arrays() -> None:
    card = RaidController(
        name="controller 0", driver="", model="HBA 9500-8i", pci_address="0000:01:00.0", arrays=[], drives=[]
    )
    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", raid=[card])
    _, problems = choose_drivers(inventory, build_template(raid=RAID))
    assert [(problem.path, problem.message) for problem in problems] == [
        ("raid", "HBA 9500-8i: an HBA, which makes no arrays")
    ]
    assert "raid.mdadm" in str(problems[0].hint)


def test_a_card_that_no_driver_knows_is_not_called_an_hba() -> None:
    card = RaidController(name="0000:01:00.0", driver="", model="SX7000", pci_address="0000:01:00.0")
    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", raid=[card])
    _, problems = choose_drivers(inventory, build_template(raid=RAID))
    assert "could configure" in problems[0].message


def test_the_highest_priority_wins_and_the_beaten_are_named() -> None:
    drivers = [*load_drivers(), Controller("raid.card", 10)]
    chosen, _ = choose_drivers(build_inventory(), build_template(raid=RAID), drivers)
    assert chosen[0].driver.name == "raid.card"
    assert chosen[0].reason == "raid.card is there; preferred to raid.mdadm"


def test_a_tie_is_an_error_that_the_template_settles() -> None:
    drivers = [Controller("raid.one", 5), Controller("raid.two", 5)]
    chosen, problems = choose_drivers(build_inventory(), build_template(raid=RAID), drivers)
    assert chosen == []
    assert problems[0].message == "more than one driver takes this machine: raid.one, raid.two"
    named = build_template(raid={**RAID, "driver": "raid.two"})
    chosen, problems = choose_drivers(build_inventory(), named, drivers)
    assert problems == []
    assert chosen[0].driver.name == "raid.two"


def test_each_section_of_a_list_has_its_driver_in_the_order_of_the_list() -> None:
    drivers = [Controller("raid.one", 5), Controller("raid.two", 5), *load_drivers()]
    listed = [{**RAID, "driver": name} for name in ("raid.two", "raid.mdadm", "raid.nowhere", "raid.one")]
    chosen, problems = choose_drivers(
        build_inventory(), build_template(raid=listed, oob={"network": {"source": "dhcp"}}), drivers
    )
    assert [choice.driver.name for choice in chosen] == ["raid.two", "raid.mdadm", "raid.one", "oob.ipmi"]
    assert [(problem.path, problem.hint) for problem in problems] == [
        ("raid[2].driver", "usable here: raid.one, raid.two, raid.mdadm")
    ]


class Found(Controller):
    """It finds an array called `scratch`; with `is_deleted`, its plan deletes it."""

    def __init__(self, name: str, *, is_deleted: bool = False) -> None:
        super().__init__(name, 10)
        self.is_deleted = is_deleted

    def plan(self, state: Any, template: Template, secrets: dict[str, str], forecast: Forecast) -> Planned:
        forecast.arrays["scratch"] = build_array(f"/dev/{self.name}")
        if self.is_deleted:
            del forecast.arrays["scratch"]
        return Planned()


def build_array(device: str, *, exists: bool = True) -> ArrayForecast:
    return ArrayForecast(name="scratch", device=device, size_bytes=1, exists=exists)


def plan_raid(template: Template, drivers: list[Driver], forecast: Forecast) -> list[str]:
    """The paths of the problems that the drivers of `raid` have with the template, planned one after the other."""
    chosen, _ = choose_drivers(build_inventory(), template, drivers)
    plans = [choice.driver.plan(None, template, {}, forecast) for choice in chosen]
    return [problem.path for planned in plans for problem in planned.problems]


def test_a_namespace_that_the_template_names_is_not_an_array_of_that_name_which_is_there() -> None:
    """Else the disk that a person allowed to be wiped would be another one."""
    namespace = {"name": "scratch", "size": "rest"}
    for raid in (RAID, [{**RAID, "driver": "raid.one"}]):
        template = build_template(
            raid=raid, nvme=[{"select": {"serial": "S1"}, "namespaces": [namespace]}], disks=[SCRATCH]
        )
        forecast = Forecast(arrays={"scratch": build_array("/dev/nvme/scratch", exists=False)})
        assert plan_raid(template, [Found("raid.one")], forecast) == []
        assert forecast.arrays["scratch"].device == "/dev/nvme/scratch"


def test_a_name_that_two_drivers_found_means_neither_until_one_of_them_is_deleted() -> None:
    sections = [{"driver": "raid.one", "hotspares": "7"}, {"driver": "raid.two", "clear": True}]
    template = build_template(raid=sections, disks=[SCRATCH])
    assert plan_raid(template, [Found("raid.one"), Found("raid.two")], Forecast()) == [
        "disks[0].select.array"
    ]
    forecast = Forecast()
    assert plan_raid(template, [Found("raid.one"), Found("raid.two", is_deleted=True)], forecast) == []
    assert forecast.arrays["scratch"].device == "/dev/raid.one"


def test_an_empty_list_of_sections_asks_for_nothing() -> None:
    assert choose_drivers(build_inventory(), build_template(raid=[])) == ([], [])


def test_a_driver_asked_for_by_name_must_be_there() -> None:
    named = build_template(raid={**RAID, "driver": "raid.nowhere"})
    _, problems = choose_drivers(build_inventory(), named)
    assert (problems[0].path, problems[0].hint) == ("raid.driver", "usable here: raid.mdadm")


def test_all_drivers_that_match_a_machine_are_listed() -> None:
    names = [choice.driver.name for choice in match_drivers(build_inventory(bmc=False))]
    assert names == [
        "firmware.package",
        "firmware.fwupd",
        "firmware.flashrom",
        "raid.mdadm",
        "disk.erase",
        "disk.partition",
        "disk.lvm",
        "disk.luks",
        "disk.filesystem",
    ]
