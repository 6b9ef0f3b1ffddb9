import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from fakeimage import build_fake_image

from bootos.image.cache import Stage
from bootos.image.content import Entry
from bootos.image.layers.core import read_image
from bootos.image.report import build_report, collect_uses, name_group
from bootos.image.steps.estimate import build_estimate
from bootos.image.treemap import Box, Tile, draw_treemap, plan_boxes

PLACE = Box(x=0, y=0, width=600, height=400)


def test_areas_are_in_proportion_and_stay_within_the_rectangle() -> None:
    sizes = [600, 300, 150, 100, 50, 40, 10, 1]
    boxes = plan_boxes(sizes, PLACE)
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(size / sum(sizes) * 600 * 400)
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.width <= 600.001 and box.y + box.height <= 400.001


def test_rectangles_do_not_overlap_and_are_no_slivers() -> None:
    boxes = plan_boxes([9, 8, 7, 6, 5, 4, 3, 2], PLACE)
    for number, one in enumerate(boxes):
        assert max(one.width / one.height, one.height / one.width) < 4
        for other in boxes[number + 1 :]:
            apart_x = one.x + one.width <= other.x + 0.001 or other.x + other.width <= one.x + 0.001
            apart_y = one.y + one.height <= other.y + 0.001 or other.y + other.height <= one.y + 0.001
            assert apart_x or apart_y


def test_the_picture_is_svg_with_a_tooltip_for_every_part() -> None:
    picture = draw_treemap(
        [
            Tile(name="a & b", size_bytes=2_000_000, parts=(Tile(name="<in>", size_bytes=9),)),
            Tile(name="no", size_bytes=0),
        ]
    )
    root = ElementTree.fromstring(picture)
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a & b: 2.0 MB", "<in>: 0 kB"]


@pytest.mark.parametrize(
    "path, package, group",
    [
        ("/usr/bin/bash", "bash", "bash"),
        ("/usr/lib/modules/6.1/kernel/drivers/net/ethernet/intel/igb/igb.ko", "", "drivers/net/ethernet"),
        ("/usr/lib/modules/6.1/modules.dep", "", "/usr/lib/modules/6.1"),
        ("/usr/lib/firmware/bnx2/a.fw", "", "firmware/bnx2"),
        ("/usr/lib/python3/dist-packages/bootos/agent/job.py", "", "/usr/lib/python3/dist-packages"),
        ("/etc/hostname", "", "/etc"),
    ],
)
def test_a_file_counts_to_its_package_or_directory(path: str, package: str, group: str) -> None:
    assert name_group(path, package) == group


def test_the_parts_of_a_segment_sum_up_to_it() -> None:
    def file(path: str, size: int) -> Entry:
        return Entry(path=path, kind="file", mode="-rw-r--r--", owner="0:0", size_bytes=size)

    entries = [file("/usr/bin/a", 1000), file("/usr/bin/b", 1000), file("/etc/c", 300)]
    uses = collect_uses(700, entries, {"/usr/bin/a": [500, "a"], "/usr/bin/b": [100, "b"]})
    assert [(use.name, use.packed_bytes) for use in uses] == [("a", 500), ("/etc", 100), ("b", 100)]


def test_a_page_is_made_of_a_real_image(tmp_path: Path) -> None:
    image = read_image(build_fake_image(tmp_path))
    page = build_report(image.manifest, image.initrd, {})
    assert page.count("<svg") == 1
    for segment in ("boot", "10-base", "20-kernel", "80-bootos"):
        assert re.search(rf'class="s"><td>{segment}<', page)


def make_stage(name: str, directory: Path) -> Stage:
    return Stage(name=name, key="", directory=directory)


def test_estimates_know_packages_and_how_well_a_file_packs(tmp_path: Path) -> None:
    base = tmp_path / "base/root"
    (base / "var/lib/dpkg/info").mkdir(parents=True)
    (base / "var/lib/dpkg/info/tool:amd64.list").write_text("/.\n/bin\n/bin/tool\n")
    (base / "usr/bin").mkdir(parents=True)
    (base / "usr/bin/tool").write_bytes(b"a" * 100_000)
    (tmp_path / "kernel/root").mkdir(parents=True)
    build_estimate(
        base=make_stage("base", tmp_path / "base"),
        kernel=make_stage("kernel", tmp_path / "kernel"),
        directory=tmp_path,
    )
    text = (tmp_path / "estimate.json").read_text()
    found = re.search(r'"/usr/bin/tool": \[\s*(\d+),\s*"tool"', text)
    assert found and 0 < int(found[1]) < 2000
