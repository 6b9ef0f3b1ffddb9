"""What `disk.filesystem` and `disk.partition` plan on states that no tool needs to be played for."""

from bootos.drivers.contract import ArrayForecast, Forecast, Planned
from bootos.drivers.disk.filesystem import FilesystemDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.storage.mark import draw_uuid
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Block, Layout, Slice, Storage
from bootos.template.check import read_template
from bootos.wire.inventory import Disk, DiskType

SIZE = 100 * 1024**3
OWNER = "SN001 7"
DISK = Disk(index=0, name="sda", path="/dev/sda", serial="S0", size_bytes=SIZE, type=DiskType.SSD)


def build_state(*signatures: Signature, layout: Layout | None = None, begun: str = "") -> Storage:
    block = Block(device="/dev/sda", node="/dev/sda", size_bytes=SIZE, signatures=signatures, layout=layout)
    return Storage(
        disks=(DISK,),
        blocks={"/dev/sda": block},
        owner=OWNER,
        begun=frozenset({begun} if begun else ()),
    )


def plan(
    driver: FilesystemDriver | PartitionDriver, state: Storage, forecast: Forecast, **disk: object
) -> Planned:
    template, problems = read_template({"name": "t", "disks": [disk]})
    assert template is not None and problems == []
    return driver.plan(state, template, {}, forecast)


def forecast_array() -> Forecast:
    """A controller's array that is there: ids of actions call it by its name."""
    array = ArrayForecast(name="os", device="/dev/sda", size_bytes=SIZE, exists=True, place="/dev/raid/os")
    return Forecast(arrays={"os": array})


def test_a_disk_whose_file_system_stays_is_not_reckoned_as_emptied() -> None:
    forecast = Forecast()
    planned = plan(
        FilesystemDriver(),
        build_state(Signature(type="xfs")),
        forecast,
        select={"path": "/dev/sda"},
        filesystem="xfs",
    )
    assert (planned.actions, planned.problems, forecast.freed) == ([], [], set())
    plan(FilesystemDriver(), build_state(), forecast, select={"path": "/dev/sda"}, filesystem="xfs")
    assert forecast.freed == {"/dev/sda"}


def test_a_file_system_that_an_agent_of_before_left_half_made_on_an_array_is_made_again() -> None:
    half = Signature(type="xfs", uuid=draw_uuid(OWNER, "/dev/sda"), half_made=True)
    state = build_state(half, begun="disk.filesystem:make:/dev/sda")
    planned = plan(FilesystemDriver(), state, forecast_array(), select={"array": "os"}, filesystem="xfs")
    assert planned.problems == []
    assert [(action.id, action.destroys) for action in planned.actions] == [
        ("disk.filesystem:make:/dev/raid/os", ())
    ]


def test_a_table_that_an_agent_of_before_left_half_made_on_an_array_is_written_again() -> None:
    part = Slice(
        number=1,
        device="/dev/sda1",
        start=2048,
        sectors=2**21,
        type="83",
        signatures=(Signature(type="ext4"),),
    )
    layout = Layout(table="gpt", id=draw_uuid(OWNER, "/dev/sda").upper(), unseen=True, slices=(part,))
    state = build_state(Signature(type="gpt"), layout=layout, begun="disk.partition:write:/dev/sda")
    partitions = [{"name": "a", "size": "2GiB"}]
    planned = plan(PartitionDriver(), state, forecast_array(), select={"array": "os"}, partitions=partitions)
    assert planned.problems == []
    assert [(action.id, action.destroys) for action in planned.actions] == [
        ("disk.partition:write:/dev/raid/os", ())
    ]
