"""The real pvs, vgs, lvs and blkid on a loop device: what is in the metadata and on a volume is what is read, with
nothing activated. Volumes are put into the metadata as text, so that no device mapper is needed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.drivers.contract import Machine
from bootos.drivers.storage.state import Storage
from bootos.drivers.storage.volume import parse_report, read_groups
from bootos.process import ToolError, run

MIB = 1024**2
GROUP = "bootos-test-vg"

LOGICAL = """
	logical_volumes {
		root {
			id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA"
			status = ["READ", "WRITE", "VISIBLE"]
			flags = []
			tags = ["bootos.unfinished"]
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 10
				type = "striped"
				stripe_count = 1
				stripes = ["pv0", 0]
			}
		}
		home {
			id = "BBBBBB-BBBB-BBBB-BBBB-BBBB-BBBB-BBBBBB"
			status = ["READ", "WRITE", "VISIBLE"]
			flags = []
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 5
				type = "striped"
				stripe_count = 1
				stripes = ["pv0", 12]
			}
		}
	}
}
"""


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(128 * MIB)
    try:
        node = run(["losetup", "--find", "--show", image]).stdout.strip()
    except ToolError as cause:
        pytest.skip(f"no loop devices here: {cause}")
    try:
        yield node
    finally:
        run(["losetup", "--detach", node])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has loop devices")
def test_groups_and_what_is_on_volumes_are_read_without_activating(loop: str, tmp_path: Path) -> None:
    config = ["--config", "global{event_activation=0} devices{use_devicesfile=0} backup{backup=0 archive=0}"]
    try:
        run(["pvcreate", "--yes", *config, loop])
        run(["vgcreate", "--yes", *config, GROUP, loop])
    except ToolError as cause:
        pytest.skip(f"no LVM here: {cause}")
    try:
        text = tmp_path / "metadata"
        run(["vgcfgbackup", *config, "--file", text, GROUP])
        # The text is put before the end of the group's section; keys of the file itself follow that.
        plain = re.sub(r"\n\t}\n\s*}\n", lambda _: "\n\t}\n" + LOGICAL, text.read_text(), count=1)
        text.write_text(plain)
        run(["vgcfgrestore", "--force", *config, "--file", text, GROUP])
        content = tmp_path / "content"
        with content.open("wb") as file:
            file.truncate(20 * MIB)
        run(["mkfs.ext4", "-q", "-F", "-L", "my home", content])
        run(["dd", f"if={content}", f"of={loop}", "bs=1M", f"seek={1 + 12 * 4}", "conv=notrunc,fsync"])
        (group,), loose = read_groups(Machine(), {loop: "/dev/disk"})
        assert loose == ()
        assert (group.name, group.extent_bytes, group.extent_count, group.free_count) == (
            GROUP,
            4 * MIB,
            31,
            16,
        )
        assert [member.device for member in group.members] == ["/dev/disk"]
        home, root = group.volumes
        assert (home.name, home.size_bytes, home.kind, home.active) == ("home", 20 * MIB, "linear", False)
        assert [(signature.type, signature.label) for signature in home.signatures] == [("ext4", "my home")]
        assert (root.unfinished, root.signatures) == (True, ())
        said = run(["lvs", "--reportformat", "json", f"{GROUP}/home", "-o", "lv_device_open"]).stdout
        assert parse_report(said, "lv") == [{"lv_device_open": "unknown"}], "it is not active"
        told = Storage(groups=(group,)).find_group_of("/dev/disk")
        assert told is group
    finally:
        run(["vgremove", "--force", "--force", "--yes", *config, GROUP], check=False)
