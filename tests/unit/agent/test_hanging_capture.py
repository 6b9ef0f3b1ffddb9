"""A capture whose tools never end: what is said of it, and that the process can end beside it."""

import subprocess
import sys
from pathlib import Path

CHILD = """
import sys
import threading
from pathlib import Path

from bootos.agent.session.capturing import Capturer
from bootos.drivers.contract import Machine
from bootos.errors import BootosError
from bootos.masking import Masker
from bootos.waiting import Clock

hangs = threading.Event()


def hang(argv, **options):
    hangs.set()
    threading.Event().wait()


class PassedClock(Clock):
    def wait(self, condition, is_true, timeout_s=None):
        return hangs.wait(60.0) and is_true()


capturer = Capturer(Machine(run=hang, root=Path(sys.argv[1])), Masker(), clock=PassedClock())
for _ in range(2):
    try:
        capturer.take()
    except BootosError as error:
        print(error)
"""


def test_threads_of_a_capture_that_hangs_do_not_hold_up_the_end_of_the_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "the capture was not done within 600 s",
        "an earlier capture has not ended yet",
    ]
