"""Static checks: every mistake in a template that can be seen without a machine, all at once, each with its path.

`read_template` is what the server calls when a template is saved and the agent before it plans. What needs the
machine (is drive 7 there, does 2 TiB fit) is found by the drivers' `plan`, in the same form.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from bootos.document import convert_all
from bootos.errors import Problem, Problems
from bootos.template.bioscheck import check_bios
from bootos.template.diskcheck import check_disks
from bootos.template.erasecheck import check_erase
from bootos.template.expectcheck import check_expect
from bootos.template.firmwarecheck import check_firmware
from bootos.template.model import Script, Secret, Template
from bootos.template.oobcheck import check_oob
from bootos.template.place import Places
from bootos.template.placeholder import find_leftovers, find_secret_words
from bootos.template.raidcheck import check_raid
from bootos.template.volumecheck import check_volumes


def read_template(data: Any) -> tuple[Template | None, list[Problem]]:
    """Turn plain values into a Template; returns (template or None, every problem found). Bases must be resolved and
    placeholders filled in: this is the document that a machine gets.

    The template is None only when a required part is missing; with problems it must not be carried out.
    """
    template, found = convert_all(data, Template)
    problems = Problems(found)
    if template is None:
        return None, problems
    places = Places(data)
    if template.base is not None:
        hint = "the server does it when a job is made; by hand: bootos template show NAME --resolved"
        problems.complain("base", "is not resolved yet", hint)
    problems += find_leftovers(data)
    if template.expect is not None:
        problems += check_expect(template.expect)
    problems += check_firmware(template.firmware, places)
    if template.bios is not None:
        problems += check_bios(template.bios)
    problems += check_raid(template, places)
    problems += check_erase(template, places)
    uuids: dict[str, str] = {}  # UUIDs of file systems in the whole template
    problems += check_disks(template, places, uuids)
    problems += check_volumes(template, places, uuids)
    if template.oob is not None:
        problems += check_oob(template.oob, places)
    unique = {(problem.path, problem.message): problem for problem in problems}
    return template, list(unique.values())


def find_secrets(template: Template) -> set[str]:
    """The names of all secrets that the template refers to."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, Secret):
            yield value.secret
        elif isinstance(value, Script):
            yield from find_secret_words(value.script)
        elif isinstance(value, msgspec.Struct):
            for field in value.__struct_fields__:
                yield from walk(getattr(value, field))
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)

    return set(walk(template))


def find_plain_passwords(template: Template) -> list[Problem]:
    """Passwords that stand in the template itself, where everybody who may read it sees them."""
    oob = template.oob
    places: dict[str, Secret | str | None] = {}
    if oob is not None:
        places = {f"oob.users[{number}].password": user.password for number, user in enumerate(oob.users)}
        places["oob.redfish.password"] = oob.redfish.password if oob.redfish is not None else None
    return [
        Problem(
            path=path,
            message="is written out, and everybody who reads the template would see it",
            hint="store it (bootos secret set NAME) and refer to it here: password: {secret: NAME}",
        )
        for path, password in places.items()
        if isinstance(password, str)
    ]
