"""Whether the plan that was made is the plan that was approved. Pure; called before anything is changed.

Before any approved action was begun, the plan must be the approved one, to the letter. Later (the same job goes on
after a reboot or a power cut) part of it is done, so what is left must be part of what was approved: no action that
the operator did not see, and no data lost that was not named there.
"""

from collections.abc import Sequence

import msgspec

from bootos.engine.planhash import build_canonical, hash_plan
from bootos.errors import Problem, Problems
from bootos.masking import Masker
from bootos.wire.v2 import FREE_TEXT, ActionView, Order

HINT = "plan again, and approve the new plan"


def check_approval(order: Order, actions: Sequence[ActionView]) -> list[Problem]:
    """Every difference between the plan and the approved one; none without an approval."""
    approved = order.approved
    if approved is None or order.mode != "apply":
        return []
    secrets = tuple(order.secrets.values())
    masked = [_mask(action, secrets) for action in actions]
    if is_begun(order):
        return find_unapproved(approved.actions, masked)
    if hash_plan(actions) == approved.plan_hash:
        return []
    problems = find_differences(approved.actions, masked)
    return problems or [
        Problem(path="plan", message="the plan is not the approved one, in values that are secret", hint=HINT)
    ]


def is_begun(order: Order) -> bool:
    """Whether an earlier attempt began any of the approved actions."""
    actions = order.approved.actions if order.approved is not None else []
    return any(action.id in order.earlier for action in actions)


def find_differences(approved: Sequence[ActionView], actions: Sequence[ActionView]) -> list[Problem]:
    """Actions that are new, gone, changed, or in another order."""
    before = {action.id: action for action in approved}
    after = {action.id: action for action in actions}
    sentences = [
        f"not approved: {action.summary}{_words(action)}" for action in actions if action.id not in before
    ]
    sentences += [
        f"approved, but not to be done any more: {action.summary}"
        for action in approved
        if action.id not in after
    ]
    for action in actions:
        known = before.get(action.id)
        if known is not None and build_canonical(known) != build_canonical(action):
            sentences.append(
                f"changed: {action.summary}: approved was{_words(known)}; now it is{_words(action)}"
            )
    if not sentences and list(before) != list(after):
        sentences = ["the same actions, but in another order"]
    return [Problem(path="plan", message=sentence, hint=HINT) for sentence in sentences]


def find_unapproved(approved: Sequence[ActionView], actions: Sequence[ActionView]) -> list[Problem]:
    """Actions, and data to be lost, that the approved plan does not name."""
    ids = {action.id for action in approved}
    named = {lost for action in approved for lost in action.destroys}
    problems = Problems()
    for action in actions:
        lost = [item for item in action.destroys if item not in named]
        if action.id not in ids:
            message = f"not approved: {action.summary}{_words(action)}"
            problems.complain("plan", message, HINT)
        elif lost:
            message = (
                f"{action.summary} would destroy {'; '.join(lost)}, which the approved plan does not name"
            )
            problems.complain("plan", message, HINT)
    return problems


def _mask(action: ActionView, secrets: tuple[str, ...]) -> ActionView:
    """The text as the server got it: the approved plan was masked on its way there."""
    if not secrets:
        return action
    return msgspec.convert(Masker(secrets).plain(msgspec.to_builtins(action), keys=FREE_TEXT), ActionView)


def _words(action: ActionView) -> str:
    changes = [f"{change.what}: {change.before or '-'} -> {change.after or '-'}" for change in action.changes]
    lost = [f"destroys {item}" for item in action.destroys]
    reboot = ["needs a reboot"] if action.reboot else []
    words = "; ".join([*changes, *lost, *reboot])
    return f" ({words})" if words else " (no change named)"
