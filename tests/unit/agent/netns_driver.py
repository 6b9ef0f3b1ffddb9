"""Runs inside a network namespace, started by `netns.Site`: brings the network up as the agent does, and stays."""

import json
import logging
import sys
import threading
from pathlib import Path

import msgspec

from bootos.agent.cmdline import parse_cmdline
from bootos.agent.uplink import Network, Timing
from bootos.process import run


def main() -> None:
    said = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    cmdline = parse_cmdline(said["cmdline"])
    timing = msgspec.convert(said["timing"], Timing)
    network = Network(run, str(cmdline.server_addr), cmdline.network, Path(said["root"]), timing)
    uplink = network.bring_up(cmdline.pxe_mac)
    print("UPLINK", msgspec.json.encode(uplink).decode(), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
