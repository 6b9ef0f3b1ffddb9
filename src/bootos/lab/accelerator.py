"""Choose how QEMU runs a guest: `kvm` when trial machines really ran with it on this host, else `tcg`.

/dev/kvm may be there and hang its guest, or fail in the boot ROM's 32 bit code or in the unpacking of a kernel (nested
virtualization that knows only a part), so its presence proves nothing. The results of the trials are remembered in
MEMORY, by what decides them: host, its kernel, QEMU, image's kernel. BOOTOS_LAB_ACCELERATOR=kvm or =tcg overrides it.
"""

import contextlib
import fcntl
import functools
import hashlib
import logging
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from bootos.errors import BootosError
from bootos.files import write_atomically
from bootos.lab.preflight import find_requirements
from bootos.lab.qemu import PROGRAM
from bootos.lab.spec import KernelBoot
from bootos.lab.trial import NETWORK_BOOT, UEFI, AcceleratorTrial, TrialResult, build_kernel_trial, run_trial
from bootos.lab.trial_program import SIGN
from bootos.process import ToolError, run

log = logging.getLogger(__name__)

Accelerator = Literal["kvm", "tcg"]
VARIABLE = "BOOTOS_LAB_ACCELERATOR"
DEVICE = Path("/dev/kvm")
KERNEL = Path("build/image/vmlinuz")
MEMORY = Path("build/cache/lab/accelerator.json")

_KEPT = 64  # how many results are kept, the newest ones
_MACHINE = "a machine of the lab"
_CPU_WORDS = ("vendor_id", "model name", "microcode", "flags")  # of /proc/cpuinfo


class AcceleratorChoice(msgspec.Struct, frozen=True, kw_only=True):
    """An accelerator, why it is that one, and the trials that say so. `memory`: the file that remembers them."""

    accelerator: Accelerator
    reason: str
    trials: tuple[TrialResult, ...] = ()
    memory: str = ""


class _Memory(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds: results by the digest of what decides them, the oldest first."""

    results: dict[str, TrialResult] = {}


# Results that could not be written to their file, by that file: this process still knows them.
_unwritten: dict[Path, dict[str, TrialResult]] = {}


class LabHost:
    """A host, as far as it runs lab machines: `env` is the environment in which QEMU is found and started, `memory` the
    file that remembers what came of the trials. `proc`, `node` and `release` are where its processor and its kernel
    are read, its name and its kernel's release."""

    def __init__(
        self,
        env: Mapping[str, str] = os.environ,
        memory: Path = MEMORY,
        *,
        proc: Path = Path("/proc"),
        node: str = "",
        release: str = "",
    ) -> None:
        self.env = env
        self.memory = memory
        self._proc = proc
        self._node = node or platform.node()
        self._release = release or platform.release()

    def judge(
        self, kernel: Path | None = None, *, trials: Sequence[AcceleratorTrial] | None = None
    ) -> AcceleratorChoice:
        """What this host runs lab machines with. Trials of which nothing is remembered are made now, up to the first
        that fails: some seconds where kvm works, less than a minute where it does not. `kernel` is the image's, KERNEL
        by default; one that does not exist is not tried. `trials` are made in place of all that this host can. Raises
        BootosError when the variable is neither kvm nor tcg."""
        forced = self.env.get(VARIABLE, "")
        if forced and forced not in ("kvm", "tcg"):
            raise BootosError(f"{VARIABLE}={forced} is unknown", hint="use kvm or tcg")
        if forced:
            return AcceleratorChoice(accelerator=cast(Accelerator, forced), reason=f"{VARIABLE} says so")
        facts = self._read_facts()
        if facts is None:
            return AcceleratorChoice(accelerator="tcg", reason=f"{PROGRAM} is not installed")
        results: list[TrialResult] = []
        with self._hold():
            remembered = self._read()
            if (failure := remembered.get(_digest(facts, _MACHINE))) is not None:
                return self._conclude([failure])
            for trial in _find_trials(kernel or KERNEL) if trials is None else trials:
                key = _digest(facts, *_identify(trial))
                result = remembered.get(key)
                if result is None:
                    result = run_trial(trial, "kvm", env=self.env)
                    self._write(key, result)
                results.append(result)
                if not result.ok:
                    break
        return self._conclude(results)

    def remember_failure(self, words: str) -> None:
        """Note that kvm failed a machine at work, though the trials had gone well: this host runs machines with tcg
        from now on. `words`: what QEMU said."""
        if (facts := self._read_facts()) is not None:
            with self._hold():
                self._write(_digest(facts, _MACHINE), TrialResult(name=_MACHINE, ok=False, words=words))

    def _conclude(self, results: list[TrialResult]) -> AcceleratorChoice:
        failed = next((result for result in results if not result.ok), None)
        if failed is not None:
            reason = f"kvm failed: {failed.name}: {failed.words}"
        else:
            reason = "kvm ran all of it" if results else "there is nothing here to try kvm with"
        return AcceleratorChoice(
            accelerator="kvm" if results and failed is None else "tcg",
            reason=reason,
            trials=tuple(results),
            memory=str(self.memory.resolve()),
        )

    def _read_facts(self) -> tuple[str, ...] | None:
        """What decides whether kvm works here: host, kernel, processor, QEMU; None without QEMU."""
        program = shutil.which(PROGRAM, path=self.env.get("PATH"))
        if program is None:
            return None
        path = Path(program).resolve()
        stat = path.stat()
        first = (self._proc / "cpuinfo").read_text().partition("\n\n")[0].splitlines()
        return (
            self._node,
            self._release,
            *(line for line in first if line.partition("\t")[0] in _CPU_WORDS),
            str(os.access(DEVICE, os.R_OK | os.W_OK)),
            str(path),
            str(stat.st_mtime_ns),
            str(stat.st_size),
            _read_version(str(path), stat.st_mtime_ns),
        )

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        """Keep other processes from trying the same at the same time; they find what this one remembered."""
        with contextlib.ExitStack() as held:
            try:
                self.memory.parent.mkdir(parents=True, exist_ok=True)
                handle = held.enter_context(self.memory.with_suffix(".lock").open("w"))
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as error:
                log.debug("%s is not used: %s", self.memory, error)
            yield

    def _read(self) -> dict[str, TrialResult]:
        """The results that are remembered. A file that cannot be read is taken for an empty one, and written anew."""
        try:
            results = msgspec.json.decode(self.memory.read_bytes(), type=_Memory).results
        except (OSError, ValueError, RecursionError):
            results = {}
        return {**results, **_unwritten.get(self.memory, {})}

    def _write(self, key: str, result: TrialResult) -> None:
        """Add a result, whole or not at all."""
        results = {**self._read(), key: result}
        kept = _Memory(results=dict(list(results.items())[-_KEPT:]))
        text = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
        try:
            write_atomically(self.memory, text, durable=False)
        except OSError as error:
            log.debug("%s is not written: %s", self.memory, error)
            _unwritten.setdefault(self.memory, {})[key] = result


@functools.cache
def _read_version(program: str, changed_ns: int) -> str:
    """QEMU's version; asked again when its file changed."""
    try:
        return run([program, "--version"], timeout_s=20).stdout.partition("\n")[0]
    except ToolError:
        return ""


def _find_trials(kernel: Path) -> Iterator[AcceleratorTrial]:
    """The trials that this host has the packages for. A machine whose packages are missing does not run here."""
    if all(finding.path for finding in find_requirements(parts=["pxe"])):
        yield NETWORK_BOOT
    if kernel.is_file() and os.access(kernel, os.R_OK):
        yield build_kernel_trial(kernel)
    if all(finding.path for finding in find_requirements(parts=["uefi"])):
        yield UEFI


def _identify(trial: AcceleratorTrial) -> tuple[str, ...]:
    """What makes it that trial: all of its machine, and the content of a kernel in place of its path."""
    content = ""
    if isinstance(trial.spec.boot, KernelBoot):
        content = hashlib.sha256(Path(trial.spec.boot.kernel).read_bytes()).hexdigest()
        boot = msgspec.structs.replace(trial.spec.boot, kernel="")
        trial = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, boot=boot))
    return (msgspec.json.encode(trial).decode(), SIGN, content)


def _digest(facts: tuple[str, ...], *words: str) -> str:
    return hashlib.sha256("\0".join((*facts, *words)).encode()).hexdigest()
