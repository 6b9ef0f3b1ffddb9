"""`python -m bootos.lab.demo`: what `make demo` runs. Exit code 0 only if every check holds."""

import argparse
import sys
import time
from pathlib import Path

from rich.text import Text

from bootos.errors import BootosError, read_chain
from bootos.lab.demo.report import print_report, write_report
from bootos.lab.demo.run import run_demo
from bootos.screen import Screen


def main() -> int:
    """Run the demo and print its record. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bootos.lab.demo", description=__doc__)
    parser.add_argument(
        "--image", type=Path, default=Path("build/image"), help="vmlinuz, initrd.img, manifest.json"
    )
    parser.add_argument("--output", type=Path, default=Path("build/demo"), help="the run's directory")
    parser.add_argument(
        "--kill-server", action="store_true", help="kill the server in mid-job, start it again"
    )
    arguments = parser.parse_args()
    console = Screen(soft_wrap=True)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(Text.assemble((f"{time.monotonic() - began:6.1f} ", "dim"), text))

    try:
        report = run_demo(arguments.image, arguments.output, say, kill_server=arguments.kill_server)
    except BootosError as error:
        told = Screen(stderr=True, soft_wrap=True)
        for sentence in read_chain(error):
            told.print(f"demo: {sentence}")
        return 1
    write_report(report, arguments.output / "report.json")
    print_report(report, Screen(width=None if sys.stdout.isatty() else 140))
    return 0 if report.is_good() else 1


if __name__ == "__main__":
    sys.exit(main())
