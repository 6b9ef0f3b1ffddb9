"""Arrays with `metadata: imsm` (Intel RSTe and VROC): mistakes that need no machine. Called by `raidcheck`.

The limits are those of mdadm(8), and of Intel's *Virtual RAID on CPU Linux User Guide*: volumes lie in a container of
drives, at most two, and each has all of them in the same order.
"""

from collections.abc import Sequence

from bootos.errors import Problems
from bootos.template.drivelist import parse_drives
from bootos.template.raid import ArrayWanted
from bootos.template.size import parse_bytes

LEVELS = (0, 1, 5, 10)
EXACT_DRIVES = {1: 2, 10: 4}
MOST_VOLUMES = 2
NAME_LENGTH = 16
STRIPS = (4 * 1024, 128 * 1024)  # the smallest and the largest


def check_imsm(array: ArrayWanted, at: str, count: int | None, problems: Problems) -> None:
    """What one array by itself cannot be. `count` is how many drives it names, as far as that is known."""
    if array.level not in LEVELS:
        problems.complain(f"{at}.level", f"IMSM has no RAID {array.level}: only 0, 1, 5 and 10")
    exact = EXACT_DRIVES.get(array.level)
    if exact is not None and count is not None and count > exact:
        problems.complain(f"{at}.drives", f"RAID {array.level} of IMSM has {exact} drives, not {count}")
    if array.level == 0 and count == 1:
        problems.complain(f"{at}.drives", "RAID 0 of IMSM needs at least 2 drives, not 1")
    if len(array.name.encode()) > NAME_LENGTH:
        problems.complain(f"{at}.name", f"IMSM keeps names of up to {NAME_LENGTH} characters")
    if array.hotspare_kind is not None:
        message = "a hot spare of IMSM belongs to the container, and to all arrays in it"
        problems.complain(f"{at}.hotspare_kind", message, "leave it out")
    if array.strip is None or array.level == 1:
        return
    try:
        strip_bytes = parse_bytes(array.strip)
    except ValueError:
        return  # this is reported elsewhere
    if not STRIPS[0] <= strip_bytes <= STRIPS[1]:
        problems.complain(f"{at}.strip", f"{array.strip!r} is not between 4KiB and 128KiB, as IMSM has it")


def find_container(arrays: Sequence[ArrayWanted], index: int) -> int:
    """The first array that lies in the same container: one of IMSM with the same list of drives. It may be itself."""
    key = _find_key(arrays[index])
    same = (place for place, array in enumerate(arrays) if key is not None and _find_key(array) == key)
    return next(same, index)


def check_containers(arrays: Sequence[ArrayWanted], paths: Sequence[str], problems: Problems) -> None:
    """What arrays in one container cannot be together. `paths` are their places."""
    for first in range(len(arrays)):
        inside = [index for index in range(len(arrays)) if find_container(arrays, index) == first]
        if arrays[first].metadata != "imsm" or len(inside) < 2:
            continue
        for index in inside[MOST_VOLUMES:]:
            others = f"{paths[inside[0]]} and {paths[inside[1]]}"
            message = f"a container of IMSM has at most {MOST_VOLUMES} arrays: {others}"
            problems.complain(paths[index], message)
        if arrays[first].size is None:
            message = f"takes all of the drives, and {paths[inside[1]]} lies on the same ones"
            problems.complain(f"{paths[first]}.size", message, "give the size of the first")
        for index in inside[1:]:
            if arrays[index].hotspares not in (None, arrays[first].hotspares):
                message = f"hot spares belong to the container: {paths[first]} has others"
                problems.complain(f"{paths[index]}.hotspares", message, "name them in the first array")


def _find_key(array: ArrayWanted) -> tuple[tuple[int, ...], int | None] | None:
    """The list of drives, by which arrays of IMSM are in one container. None: the array is alone in its own, as one on
    a selection is, which takes other drives each time."""
    if array.metadata != "imsm" or not isinstance(array.drives, str | int):
        return None
    try:
        listed = parse_drives(array.drives)
    except ValueError:
        return None  # this is reported elsewhere
    return listed.named, listed.open_from
