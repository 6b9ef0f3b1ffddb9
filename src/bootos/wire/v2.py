"""Protocol v2 between agent and server. Frozen once released; unknown fields are ignored by both ends.

All calls go to `SERVER_ADDR` + `PREFIX`, JSON in and out:

| call | body -> answer |
| --- | --- |
| GET  ``/``          | -> `Greeting`: proves that the server speaks v2 |
| GET  ``/layers?image=V`` | -> list of `LayerOffer`: kernel modules for certain devices; asked before registering |
| POST ``/key``       | `KeyCommitment` -> `KeyNonce`: before registering over TLS, for the words (`wire.words`) |
| POST ``/register``  | `Registration` -> `Registered` (409 `Refusal`: another client holds this identity) |
| GET  ``/order?wait_s=N`` | long-poll -> 200 `Order`, or 204 when there is none after N seconds |
| POST ``/report``    | `Report` -> `Receipt` |
| POST ``/mac``       | `MacUpload` -> `MacAccepted` |
| POST ``/capture``   | `CaptureUpload` -> `CaptureAccepted` (409 `Refusal`: nobody asked for one) |

All but the first four carry `Authorization: Bearer <session>`; 401 `Refusal` means: register again.
A report is *whole*: it holds the state of the job as the agent knows it, and a number that only grows.
Repeating, losing or reordering reports does no harm; the server keeps the one with the highest number.
Log lines carry numbers that only grow within a boot, with gaps (an agent that was restarted goes on above the
milliseconds since boot); they are sent again from `Receipt.log_next` (highest stored + 1) on until accepted.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from bootos.wire.inventory import Inventory

PREFIX = "/api/v2/agent"
VERSION = 2
FREE_TEXT = frozenset({"message", "summary", "text", "what", "before", "after", "hint", "title", "destroys"})
"""The fields of a report that a person reads: there, and nowhere else in it, an agent masks secrets."""
COMPARED = frozenset({"id", "driver", "state", "plan_hash", "boot_id", "job_id", "certificates", "earlier"})
"""What programs compare, or is sealed: there nobody masks anything, since a secret that is `ADMIN` must not change the
id of an action on a user `ADMIN`. A server masks all other texts of a report, whatever they are: what an agent sends is
not trusted to be clean. A saved state has a rule of its own (`wire.saved.FREE_TEXT`)."""

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 2)]
"""A number of a report or of a line; the next one is of 64 bits as well."""


class Greeting(msgspec.Struct, kw_only=True):
    """`protocol` is required: any other web server may answer with an empty object."""

    protocol: int
    server: str = ""
    abilities: list[str] = []  # what the server can be sent (`wire.ability`)
    tls: "TlsOffer | None" = None  # None: the server has no TLS end


class TlsOffer(msgspec.Struct, kw_only=True):
    """Where an agent that came by http goes on, before it registers, and the CA that it must find there."""

    url: str  # https://10.0.0.1:8084
    ca_sha256: str  # of the CA certificate (DER), in hex


class LayerOffer(msgspec.Struct, kw_only=True):
    """A squashfs with kernel modules, for machines that have one of the devices and run that kernel."""

    name: str
    path: str  # below /bootos/ of the server: layers/igb.squashfs
    size_bytes: int
    sha256: str
    pci_ids: list[str]  # 8086:10d3
    kernel_release: str = ""  # empty: any
    modules: dict[str, str] = {}  # name -> version


class KeyCommitment(msgspec.Struct, kw_only=True):
    """The boot key that the agent will register with, not shown yet (`wire.words.commit`)."""

    boot_id: str
    commitment: str


class KeyNonce(msgspec.Struct, kw_only=True):
    """The server's part of the words, 32 bytes in hex; the same again for the same commitment."""

    nonce: str


class Registration(msgspec.Struct, kw_only=True):
    """Who the machine is and what runs on it. `sn` is the serial number that v1 knows too.

    `key` and `ca_sha256` are said over TLS alone: the boot key of the commitment that went to `/key`, and the CA that
    the server's certificate was verified by.
    """

    sn: str
    boot_id: str  # the kernel's random boot id
    agent_version: str
    image_version: str = ""  # the version in the manifest of the image that was booted
    developer: bool = False
    pxe_mac: str | None = None
    address: str | None = None
    protocol: int = VERSION
    drivers: list[str] = []  # names of the drivers that match this machine
    abilities: list[str] = []  # what this agent can be sent (`wire.ability`)
    key: str = ""
    ca_sha256: str = ""
    inventory: Inventory


class Registered(msgspec.Struct, kw_only=True):
    machine_id: str
    session: str
    poll_s: int = 25  # how long a long-poll waits, which the agent asks for
    message: str = ""


class Refusal(msgspec.Struct, kw_only=True):
    """Any answer with a 4xx status. `retry_after_s`: the same call may work later."""

    error: str
    hint: str = ""
    retry_after_s: int | None = None


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"  # changed something, read again and compared
    REBOOTING = "rebooting"  # done, and takes effect with a reboot inside the job
    UNCHANGED = "unchanged"  # nothing to do
    FAILED = "failed"
    SKIPPED = "skipped"


class Order(msgspec.Struct, kw_only=True):
    """One job for this machine. `template` is the document as the operator wrote it (plain values).

    `earlier`: how the steps and actions of earlier attempts stood last, by id, as far as the server was told. An
    agent reports `running` before it begins what cannot be read back, and begins when that report was accepted.
    `earlier_boot_id`: the boot that said so last; in another one, what is `rebooting` has had its reboot.

    `approved`: the plan the operator approved. The first attempt carries out exactly that plan or refuses; a later one
    nothing that is not in it.

    Of the mode `capture` it is no job: `job_id` names the wish, nothing else counts, and the answer goes to `/capture`.
    """

    job_id: str
    attempt: int = 1  # 2 and more: an earlier boot began the job, and this one continues it
    earlier: dict[str, StepState] = {}
    earlier_boot_id: str = ""
    approved: "Approval | None" = None
    mode: Literal["apply", "plan", "capture"] = "apply"
    template_name: str = ""
    template: dict[str, Any] = {}
    secrets: dict[str, str] = {}  # resolved values of the template's {secret: name}
    skip_hardware: bool = False  # hardware configuration is skipped: only MAC upload, hooks, reboot
    skip_reason: str = ""
    reboot: bool = True


CAPTURE_DEADLINE_S = (
    600.0  # what an agent may take for a capture; a machine with slow tools takes two minutes
)


class CaptureUpload(msgspec.Struct, kw_only=True):
    """A capture of the machine (`hardware.capture`, packed by gzip; in JSON base64), or `error`: why there is none."""

    data: bytes = b""
    error: str = ""


class CaptureAccepted(msgspec.Struct, kw_only=True):
    size_bytes: int = 0


class Approval(msgspec.Struct, kw_only=True):
    """A plan that was approved: its hash (`Report.plan_hash`) and its actions as the operator saw them."""

    plan_hash: str
    actions: list["ActionView"] = []


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """One line of an action's diff."""

    what: str
    before: str = ""
    after: str = ""


class ActionView(msgspec.Struct, kw_only=True):
    """An action as the operator sees it."""

    id: str
    driver: str
    summary: str
    changes: list[Change] = []
    destroys: list[str] = []
    reboot: bool = False  # takes effect with a reboot inside the job
    estimate_s: float | None = None  # roughly how long it takes, without the reboot
    state: StepState = StepState.PENDING


class StepView(msgspec.Struct, kw_only=True):
    """A step of a job: `plan`, a driver's name, `mac`, `post`, `reboot`."""

    id: str
    title: str
    state: StepState = StepState.PENDING
    message: str = ""
    actions: list[ActionView] = []
    started_at: str | None = None
    ended_at: str | None = None


class ProblemView(msgspec.Struct, kw_only=True):
    path: str
    message: str
    hint: str = ""


class JobState(StrEnum):
    """What the agent says of the job; the server's own states are in server/lifecycle.py."""

    RUNNING = "running"
    PLANNED = "planned"  # terminal for mode=plan
    SUCCEEDED = "succeeded"  # terminal: all done, the reboot comes next
    FAILED = "failed"  # terminal
    REFUSED = "refused"  # terminal: nothing was changed, and `problems` or `message` says why


TERMINAL = frozenset({JobState.PLANNED, JobState.SUCCEEDED, JobState.FAILED, JobState.REFUSED})


class LogLine(msgspec.Struct, kw_only=True):
    n: Number
    at: str
    text: str
    level: str = "info"


class HookResult(msgspec.Struct, kw_only=True):
    name: Literal["PRE", "POST"]
    url: str
    exit_code: int | None = None
    sha256: str | None = None
    message: str = ""


class Report(msgspec.Struct, kw_only=True):
    """The whole state of the agent's work. `job_id` None: only log lines, before or between jobs."""

    number: Number
    boot_id: str
    job_id: str | None = None
    state: JobState = JobState.RUNNING
    message: str = ""
    steps: list[StepView] = []
    problems: list[ProblemView] = []
    hooks: list[HookResult] = []
    plan_hash: str = ""  # the hash of the plan, by engine.planhash
    # Certificates of what this attempt erased; the server keeps those of earlier attempts.
    certificates: list[dict[str, Any]] = []
    inventory: Inventory | None = None  # read again after the changes, with the terminal report
    # A `wire.saved.SavedState`, with the terminal report of a job that ended well.
    saved: dict[str, Any] | None = None
    log: list[LogLine] = []


class Receipt(msgspec.Struct, kw_only=True):
    """`log_next`: the first log line that the server does not have. `cancel`: stop after this action; also said
    when the reported job is not, or no longer, this boot's."""

    number: int
    log_next: int = 0
    cancel: bool = False


class MacUpload(msgspec.Struct, kw_only=True):
    job_id: str
    mac: str


class MacAccepted(msgspec.Struct, kw_only=True):
    """`pxe_file` is empty when the job has no PXE template: the next boot comes to BootOS again."""

    pxe_file: str = ""
