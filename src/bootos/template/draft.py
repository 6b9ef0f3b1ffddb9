"""A template as it is written, with `base:` and placeholders, checked as far as that can be without a machine.

`check_draft` is what the server calls when a template is checked or saved. A placeholder without a value yet may
become anything: what is said about its place, and what can be said only when it is known, waits until a job is made.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from bootos.document import convert_all
from bootos.errors import Problems
from bootos.template.check import read_template
from bootos.template.inheritance import BaseTaken, Find, resolve_bases
from bootos.template.model import Template
from bootos.template.placeholder import (
    FACTS,
    UnknownWordError,
    build_finder,
    check_variables,
    fill_document,
    find_leftovers,
)


class Draft(msgspec.Struct, kw_only=True):
    """`document` is what the operator wrote, `resolved` has everything inherited in it and still its placeholders.
    `template` is only to look at: with placeholders where there is no value yet."""

    document: dict[str, Any]
    resolved: dict[str, Any] = {}
    bases: list[BaseTaken] = []
    template: Template | None = None
    problems: Problems = msgspec.field(default_factory=Problems)


def check_draft(document: dict[str, Any], find_base: Find, known: Collection[str] = ()) -> Draft:
    """Resolve and check a document. `known`: words that a machine may bring, as its settings."""
    inherited = resolve_bases(document, find_base)
    draft = Draft(document=document, resolved=inherited.document, bases=inherited.bases)
    draft.problems += [*inherited.problems, *check_variables(inherited.document)]
    variables = inherited.document.get("variables")
    declared = variables if isinstance(variables, dict) else {}
    find = build_finder(declared, {}, {}, lambda word: "<{" + word + "}>")

    def find_or_leave(word: str) -> str:
        try:
            return find(word)
        except UnknownWordError as unknown:
            if word in declared or word in FACTS or word in known:
                if unknown.circular:
                    raise
                return "<{" + word + "}>"
            hint = f"declare it in the template (variables: {{{word}: }}), or mend its name"
            raise UnknownWordError(unknown.message, hint if ":" not in word else unknown.hint) from None

    filled, unknown_words = fill_document(inherited.document, find_or_leave)
    draft.problems += unknown_words
    waiting = {problem.path for problem in find_leftovers(filled)}
    draft.template, found = read_template(filled)
    if waiting:
        of_kind = convert_all(filled, Template)[1]
        if any(problem.path in waiting for problem in of_kind):
            # A value of a wrong kind is missing in the model, so problems of the whole model may be wrong: they are
            # left out.
            found = of_kind
        found = [problem for problem in found if problem.path not in waiting]
    draft.problems += found
    if variables is not None and not isinstance(variables, dict):
        draft.problems.complain("variables", "must be a table of names and values")
    draft.problems = Problems(dict.fromkeys(draft.problems))
    return draft
