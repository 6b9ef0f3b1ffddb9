"""The one table of what the server takes: every bound that a client can come to, its unit, what it counts and what is
answered when it is passed.

Every part takes its bounds from the `Limits` of the settings, so that a site, and a test, may set others (`bootos serve
--limit NAME=VALUE`); what no site may set, because agents, commands of other hosts or stored texts count on it, is
`FIXED`. `python -m bootos.server.limit` writes `docs/limits.md` from both; a test says when that is old.
"""

from pathlib import Path
from typing import Annotated, get_type_hints

import msgspec

from bootos.document import MOST_DEPTH as DOCUMENT_DEPTH
from bootos.document import MOST_REPEATED
from bootos.errors import BootosError
from bootos.server.fault import RequestError
from bootos.wire.ability import MOST_ABILITIES
from bootos.wire.body import MOST_DEPTH
from bootos.wire.saved import MOST_BYTES

FOREWORDS = {
    "fixed": ("", "These no site sets: agents, commands of other hosts or stored texts count on them."),
}
PAGE = Path(__file__).parents[3] / "docs/limits.md"


class PassedError(RequestError):
    """A request passes a limit by itself. `limit` is its name."""

    def __init__(self, message: str, *, hint: str, limit: str) -> None:
        super().__init__(message, hint=hint)
        self.limit = limit


class TooDeepError(PassedError):
    """The body is nested deeper than any call takes."""


class TooLargeError(PassedError):
    """The body is larger than this call takes."""

    status = 413


class TooManyError(RequestError):
    """So many are not taken at present; the same call may work later."""

    status = 429


class Row(msgspec.Struct, frozen=True):
    """What a limit is about: the part of the server, its unit, what it counts, the answer when it is passed."""

    part: str
    unit: str
    counts: str
    answer: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The table. The defaults are the values of a server that was told no others."""

    body_bytes: Annotated[
        int,
        Row("bodies", "bytes", "the body of a call of the machines' side", "413 with the size that is taken"),
    ] = 256 * 1024
    registration_bytes: Annotated[
        int,
        Row(
            "bodies",
            "bytes",
            "a registration, which has an inventory in it; and the inventory in a report",
            "413; the inventory of a report is left out",
        ),
    ] = 2 * 1024 * 1024
    report_bytes: Annotated[
        int,
        Row(
            "bodies",
            "bytes",
            "a report, or the upload of a capture, of an agent with a session: a report has log lines, the inventory "
            "and the saved state in it",
            "413",
        ),
    ] = 8 * 1024 * 1024
    v1_log_bytes: Annotated[
        int,
        Row(
            "bodies",
            "bytes",
            "a report of progress over Cloudboot v1, which has the whole log of a step in it",
            "413",
        ),
    ] = 4 * 1024 * 1024
    operator_body_bytes: Annotated[
        int, Row("bodies", "bytes", "the body of an operator's call, a piece of an image among them", "413")
    ] = 8 * 1024 * 1024
    saved_bytes: Annotated[
        int,
        Row("bodies", "bytes", "the saved state in a report", "left out: the one before stays"),
    ] = 2 * MOST_BYTES  # twice as much as an agent sends
    capture_bytes: Annotated[int, Row("bodies", "bytes", "a packed capture", "413")] = MOST_BYTES
    note_letters: Annotated[
        int,
        Row("bodies", "characters", "why there is no capture, in an agent's words", "the rest is left out"),
    ] = 1000
    json_depth: Annotated[
        int,
        Row(
            "bodies", "levels", "lists and objects of JSON, one inside the other", "400: where it is too deep"
        ),
    ] = MOST_DEPTH
    list_items: Annotated[
        int,
        Row(
            "bodies",
            "items",
            "each list of an inventory",
            "the rest is left out; a note says so",
        ),
    ] = 4096
    text_letters: Annotated[
        int, Row("bodies", "characters", "each text of an inventory", "the rest is left out")
    ] = 4096

    connections: Annotated[
        int,
        Row(
            "connections",
            "connections",
            "all that are open at the same time; over each one request is answered at a time",
            "one that waits is closed, else one of the address that has most; closed at once for who has as many",
        ),
    ] = 16_384
    connections_per_address: Annotated[
        int,
        Row(
            "connections",
            "connections",
            "those of one address, and its requests, at the same time",
            "closed at once",
        ),
    ] = 512
    waiting_connections: Annotated[
        int,
        Row(
            "connections",
            "connections",
            "those over which nothing is being answered or sent",
            "the oldest of the address that has most of them are closed",
        ),
    ] = 4096
    header_s: Annotated[
        int, Row("connections", "seconds", "until the head of a request has come", "closed")
    ] = 15
    body_s: Annotated[
        int,
        Row(
            "connections",
            "seconds",
            "until the body of a request has come; until who is sent an answer reads on",
            "408; closed",
        ),
    ] = 60
    handshake_s: Annotated[int, Row("connections", "seconds", "until a TLS handshake is done", "closed")] = 15
    handshakes: Annotated[
        int, Row("connections", "handshakes", "TLS handshakes that are not done yet", "the oldest are closed")
    ] = 256
    bodies_in_memory_bytes: Annotated[
        int,
        Row(
            "connections",
            "bytes",
            "all bodies that are being read",
            "429 with the seconds to wait, for the largest of the address that has most",
        ),
    ] = 64 * 1024 * 1024

    registrations_per_address: Annotated[
        int,
        Row("registrations", "a minute", "registrations from one address", "429 with the seconds to wait"),
    ] = 60
    registrations_per_minute: Annotated[
        int,
        Row("registrations", "a minute", "registrations of machines that are not confirmed", "429"),
    ] = 600
    new_per_address: Annotated[
        int,
        Row(
            "registrations",
            "machines",
            "new machines that registered from one address; machines that were confirmed, or that an operator named, "
            "never count",
            "the one of that address that was silent for longest goes; when none is silent, 429",
        ),
    ] = 32
    new_per_network: Annotated[
        int,
        Row(
            "registrations",
            "machines",
            "new machines of one network (IPv4 /24, IPv6 /64)",
            "the silent one goes, else 429",
        ),
    ] = 512
    new_machines: Annotated[
        int, Row("registrations", "machines", "all new machines", "the silent one goes, else 429")
    ] = 4096

    log_line_letters: Annotated[
        int, Row("log", "characters", "a line of a log, and what a job says last", "the rest is left out")
    ] = 8192
    job_log_bytes: Annotated[
        int, Row("log", "bytes", "the log of a job", "one line says what was cut; the job goes on")
    ] = 32 * 1024 * 1024
    boot_log_bytes: Annotated[
        int,
        Row(
            "log",
            "bytes",
            "what one boot of a confirmed machine logs, in jobs and beside them",
            "as for a job",
        ),
    ] = 32 * 1024 * 1024
    new_log_bytes: Annotated[
        int,
        Row(
            "log",
            "bytes",
            "what one boot logs of a machine that is new, or is not believed; no earlier boots of such are kept",
            "as for a job",
        ),
    ] = 256 * 1024

    page_rows: Annotated[
        int,
        Row(
            "lists",
            "rows",
            "a page of machines, of jobs, of the audit log, as browsers show it",
            "a link to the next page",
        ),
    ] = 200
    health_sentences: Annotated[
        int,
        Row(
            "lists",
            "sentences",
            "different sentences on the page Health",
            "the oldest goes of the kind that has the most",
        ),
    ] = 100

    kept_log_days: Annotated[
        int, Row("retention", "days", "logs of jobs that ended", "removed; at least 30")
    ] = 180
    kept_job_days: Annotated[
        int,
        Row(
            "retention",
            "days",
            "jobs that ended; certificates of what was erased stay",
            "removed; at least 30",
        ),
    ] = 730
    kept_inventory_days: Annotated[
        int,
        Row(
            "retention",
            "days",
            "the inventory before a job; the newest of a machine stays",
            "removed; at least 30",
        ),
    ] = 180
    kept_audit_days: Annotated[
        int, Row("retention", "days", "lines of the audit log", "removed; at least 30")
    ] = 1095


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What no site sets."""

    name_letters: Annotated[
        int, Row("fixed", "characters", "a name of a machine", "422; for another word for it: left out")
    ] = 128
    macs: Annotated[int, Row("fixed", "MACs", "those of one machine", "the rest is left out")] = 64
    drivers: Annotated[int, Row("fixed", "names", "drivers that an agent has", "the rest is left out")] = 256
    abilities: Annotated[
        int, Row("fixed", "names", "abilities that an agent has", "the rest is left out")
    ] = MOST_ABILITIES
    claims: Annotated[
        int, Row("fixed", "claims", "refused claims of a machine's identity", "the oldest go")
    ] = 20
    document_depth: Annotated[
        int, Row("fixed", "levels", "tables and lists of a template, one inside the other", "422")
    ] = DOCUMENT_DEPTH
    document_repeated: Annotated[
        int, Row("fixed", "values", "those that anchors of YAML repeat in a template", "422")
    ] = MOST_REPEATED
    v1_title_letters: Annotated[
        int, Row("fixed", "characters", "the title of a report of Cloudboot v1", "the rest is left out")
    ] = 255
    v1_log_letters: Annotated[
        int, Row("fixed", "characters", "the log in a report of Cloudboot v1", "only the end is kept")
    ] = 64 * 1024
    v1_log_lines: Annotated[int, Row("fixed", "lines", "as before", "the rest is left out")] = 2000
    v1_parts: Annotated[
        int, Row("fixed", "parts", "each list of hardware of Cloudboot v1", "the rest is left out")
    ] = 512
    page_rows_most: Annotated[int, Row("fixed", "rows", "a page of machines or jobs", "400")] = 1000
    lines_most: Annotated[
        int, Row("fixed", "lines", "of a job's log, or of the audit log, at once", "400")
    ] = 5000


LIMITS = Limits()
FIXED = Fixed()


def _read_rows(table: type[Limits | Fixed]) -> dict[str, Row]:
    hints = get_type_hints(table, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


ROWS: dict[str, Row] = _read_rows(Limits)
FIXED_ROWS: dict[str, Row] = _read_rows(Fixed)


def parse_limits(words: list[str]) -> Limits:
    """The table with other values, as `bootos serve --limit NAME=VALUE` gives them. Raises BootosError."""
    values: dict[str, int] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name in FIXED_ROWS:
            raise BootosError(f"the limit {name} is the same everywhere", hint=f"one of: {', '.join(ROWS)}")
        if name not in ROWS:
            raise BootosError(f"there is no limit {name!r}", hint=f"one of: {', '.join(ROWS)}")
        if not (value.isascii() and value.isdigit() and 0 < len(value) < 16) or int(value) == 0:
            raise BootosError(f"{word!r} gives no value", hint=f"as {name}={getattr(LIMITS, name)}")
        values[name] = int(value)
    return msgspec.structs.replace(LIMITS, **values)


def build_page() -> str:
    """The page of the documents."""
    lines = [
        "# Limits",
        "",
        "What the server takes. Written by `python -m bootos.server.limit` from the table in `server/limit.py`, from",
        "which every part of the server has its bounds. `bootos serve --limit NAME=VALUE`, once for each, sets others.",
        "",
        "Who passes a limit is answered with a status of 4xx and words that say what to do, or is cut as the table",
        "says.",
    ]
    part = ""
    values = {**msgspec.structs.asdict(LIMITS), **msgspec.structs.asdict(FIXED)}
    for name, row in {**ROWS, **FIXED_ROWS}.items():
        if row.part != part:
            part = row.part
            lines += [
                "",
                f"## {part.capitalize()}",
                *FOREWORDS.get(part, ()),
                "",
                "| name | value | counts | past it |",
                "| --- | --- | --- | --- |",
            ]
        lines.append(f"| `{name}` | {_show(values[name], row.unit)} | {row.counts} | {row.answer} |")
    return "\n".join(lines) + "\n"


def _show(value: int, unit: str) -> str:
    if unit == "bytes" and value % 1024 == 0:
        return f"{value // 2**20} MiB" if value % 2**20 == 0 else f"{value // 1024} KiB"
    return f"{value:,} {unit}"


def main() -> None:
    """Write the page into the source tree's `docs`."""
    PAGE.write_text(build_page())
    print(f"docs/{PAGE.name}")


if __name__ == "__main__":
    main()
