"""The scripts of a job as an agent of Cloudboot v1 gets them, and their sums. Pure.

Who makes a job approves these texts: their SHA-256 are kept with it, and what has another one by the time it is sent is
not sent (`cloudboot.order`). v1 has no plan that could be approved in their place.

A declarative template becomes a script, for an agent of ours that speaks only Cloudboot v1: its image has `bootos-agent
apply`, which does what the agent does in v2; the document travels in the script. Secrets do not: v1 has no session that
would keep them from others, so such templates are refused (`cloudboot.order.why_not`).
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.server.support import read_sections

# The document is one line that begins with a brace, so it is never equal to the line that ends the here-document.
SCRIPT = """\
# Made by the server from the template {name}, for an agent that speaks Cloudboot v1.
directory=$(umask 077 && mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
cat >"$directory/template.json" <<'END_OF_TEMPLATE'
{document}
END_OF_TEMPLATE
bootos-agent apply "$directory/template.json"
"""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A script of a group, with line ends as LF."""

    group: str
    name: str
    text: str


def read_declared(template: dict[str, Any]) -> list[str]:
    """The names of the sections that the template has besides its script groups, such as `raid`."""
    return [name for name in read_sections(template) if name != "scripts"]


def build_groups(template: dict[str, Any]) -> list[tuple[str, list[Script]]]:
    """The groups of scripts by their names: the one that applies what the template declares, then its own."""
    groups = [_build_declared(template)] if read_declared(template) else []
    return [
        (
            group["name"],
            [
                Script(group=group["name"], name=script["name"], text=script["script"].replace("\r\n", "\n"))
                for script in group["scripts"]
            ],
        )
        for group in [*groups, *(template.get("scripts") or [])]
    ]


def list_texts(template: dict[str, Any]) -> list[str]:
    """The texts of all scripts, in the order that they run in."""
    return [script.text for _, scripts in build_groups(template) for script in scripts]


def list_sums(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The SHA-256 of every script, with its group and name, in the order that they run in."""
    return [
        {
            "group": script.group,
            "name": script.name,
            "sha256": hashlib.sha256(script.text.encode()).hexdigest(),
        }
        for _, scripts in build_groups(template)
        for script in scripts
    ]


def sum_up(sums: Sequence[dict[str, Any]]) -> str:
    """One SHA-256 for all of them: their names, texts and order. Empty: there is none."""
    return hashlib.sha256(msgspec.json.encode(list(sums), order="sorted")).hexdigest() if sums else ""


def find_changed(approved: Sequence[dict[str, Any]] | None, template: dict[str, Any]) -> str:
    """Which script is not the one that was approved, as a sentence; empty: all are. `approved` None: the job was made
    by a release that kept no sums."""
    if approved is None:
        return ""
    present = list_sums(template)
    if present == list(approved):
        return ""
    names = [
        f"{now['group']} - {now['name']}"
        for place, now in enumerate(present)
        if now not in approved[place : place + 1]
    ]
    what = f"the script {names[0]} is" if names else "the list of scripts is"
    return f"{what} not the one that was approved when the job was made: look at the template, and make the job again"


def _build_declared(template: dict[str, Any]) -> dict[str, Any]:
    document = {name: value for name, value in template.items() if name != "scripts"}
    text = SCRIPT.format(name=document["name"], document=msgspec.json.encode(document).decode())
    return {"name": "BootOS", "scripts": [{"name": "bootos-agent apply", "script": text}]}
