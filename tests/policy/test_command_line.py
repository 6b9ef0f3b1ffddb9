"""The kernel command line has one reader, so that a word means the same everywhere, and may be added at the shell."""

from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/bootos"
# The last two are programs that run in a guest without the agent.
READERS = {"agent/host/cmdline.py", "lab/vendor_tools/guest.py", "server/netboot/kexec.py"}


def test_only_its_owner_reads_the_kernel_command_line() -> None:
    found = {
        str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if "proc/cmdline" in file.read_text()
    }
    assert found == READERS


def test_only_its_owner_knows_the_words_of_the_kernel_command_line() -> None:
    """Others of the agent name a word in a sentence or hand it on; none looks it up."""
    lookups = [
        f"{file.relative_to(SOURCE)}: {word}"
        for part in ("agent", "engine", "drivers", "hardware")
        for file in (SOURCE / part).rglob("*.py")
        for word in ("SERVER_ADDR", "DEVELOPER", "BOOTIF", "LOOP_INTERVAL", "SOFTWARE_RAID", "SCRIPT_TIMEOUT")
        if f'("{word}"' in file.read_text() or f'"{word}="' in file.read_text()
    ]
    assert {line.partition(":")[0] for line in lookups} == {"agent/host/cmdline.py"}
