"""Runs inside a network namespace, started by `netns.Site`: brings the network up as the agent does, and stays."""

import json
import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import msgspec

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.network.finding import Timing
from bootos.agent.network.uplink import Network
from bootos.process import Command, Completed, Options, Runner, run


def make_late(run: Runner) -> Runner:
    """A machine without time for its commands: each is ended the first time it is given."""
    given: set[str] = set()

    def run_late(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        words = " ".join(map(str, argv))
        if words not in given:
            given.add(words)
            raise Command(argv, **options).build_late("was ended")
        return run(argv, **options)

    return run_late


def main() -> None:
    said = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    cmdline = parse_cmdline(said["cmdline"])
    timing = msgspec.convert(said["timing"], Timing)
    runner = make_late(run) if said["late"] else run
    network = Network(runner, str(cmdline.server_addr), cmdline.network, Path(said["root"]), timing)
    uplink = network.bring_up(cmdline.pxe_mac)
    print("UPLINK", msgspec.json.encode(uplink).decode(), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
