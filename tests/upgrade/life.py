"""One life of today's agent on the machine that yesterday's recordings were made with: a PowerEdge with six disks and
racadm, all of it files. A process of its own, started by `test_new_agent.py`.

    python life.py DIRECTORY URL BOOT_ID v2|v1 [BOUNDARY DOOR]
"""

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from faultmachine import CAPTURE, FaultMachine
from handclock import QuickCaller, QuickClock
from siliconmachine import SiliconMachine

from bootos.agent import sequence
from bootos.agent.cloudboot.client import V1Client
from bootos.agent.cloudboot.flow import Timing, work_v1
from bootos.agent.host.host import Host, collect
from bootos.agent.job.ending import Next
from bootos.agent.job.job import carry_out
from bootos.agent.search import wait_for_server
from bootos.agent.session.capturing import Capturer
from bootos.agent.session.client import Client
from bootos.agent.session.order import wait_for_order
from bootos.drivers.contract import Machine
from bootos.hardware.capture import Replay, build_tree, read_capture
from bootos.lab.vendor_tools.racadm import Racadm
from bootos.process import Completed

MAC = "52:54:00:aa:00:01"


class PowerEdge(FaultMachine):
    """The captured machine as it is, and racadm."""

    def __init__(self, directory: Path, stop: str = "", door: str = "") -> None:
        super().__init__(directory, stop, door)
        self._replay = Replay(read_capture(CAPTURE))
        self.silicon = SiliconMachine(directory / "silicon", tools=[Racadm()])

    def run(self, argv: Any, **options: Any) -> Completed:
        if Path(str(argv[0])).name == "racadm":
            return self.silicon.run(argv, **options)
        return super().run(argv, **options)


def make_power_edge(directory: Path, url: str) -> None:
    """A new machine, switched off."""
    tree, root = directory / "tree", directory / "root"
    (root / "proc").mkdir(parents=True)
    build_tree(read_capture(CAPTURE), tree)
    for name in ("sys", "dev"):
        (root / name).symlink_to(tree / name)
    for file in (tree / "proc").iterdir():
        if file.is_file():
            shutil.copyfile(file, root / "proc" / file.name)
    bootif = MAC.replace(":", "-")
    line = (
        f"SERVER_ADDR={url} BOOTIF=01-{bootif} DEVELOPER=1 POST={url}/bootos/files/post.sh LOOP_INTERVAL=1\n"
    )
    (root / "proc/cmdline").write_text(line)
    PowerEdge(directory)._save()


def live(directory: Path, boot_id: str, protocol: str, stop: str, door: str) -> None:
    """As `sequence.run`, without DHCP, and the end of the process in place of a reboot."""
    machine = PowerEdge(directory, stop, door)
    host = Host(Machine(run=machine.run, root=machine.root), boot_id, clock=QuickClock(), http=QuickCaller())
    sequence.wait_for_server_address(host)
    collect(host)
    if protocol == "v1":
        host.machine = Machine(root=machine.root)  # scripts run as they did when this was recorded
        timing = Timing(interval_s=0.05, first_pause_s=0.01, longest_pause_s=0.05, farewell_s=5.0)
        work_v1(host, V1Client(host.server_addr, timeout_s=20.0), timing, sys.exit)
    # only this call was recorded: to load a layer needs a kernel
    Client(host.server_addr).fetch_layers(host.image_version)
    client = wait_for_server(host)
    assert client is not None
    reporter = sequence.register(host, client, "", [])
    capturer = Capturer(host.machine, reporter.masker)
    while True:
        order = wait_for_order(client, reporter, capturer, host.clock)
        after = carry_out(order, host, client, reporter)
        if after is not Next.ORDER:
            machine.silicon.silicon.boot()
            (directory / "ended.json").write_text(json.dumps(after.value))
            return


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)8d %(levelname)s %(name)s: %(message)s")
    place, boot_id, protocol, *more = sys.argv[1:]
    stop, door = more or ("", "")
    live(Path(place), boot_id, protocol, stop, door)
