"""A plan as lines of text: what is there and what is wanted, what is lost, reboots and time. Pure; printed by
`bootos-agent plan` and `bootos template check --inventory`."""

from bootos.engine.plan import JobPlan
from bootos.wire.plantext import format_cost, format_sum


def find_script_titles(plan: JobPlan) -> list[str]:
    """The scripts that a template runs, `GROUP - NAME`."""
    groups = plan.template.scripts if plan.template is not None else []
    return [f"{group.name} - {script.name}" for group in groups for script in group.scripts]


def format_plan(plan: JobPlan) -> list[str]:
    """The lines."""
    lines: list[str] = []
    for action in plan.actions:
        cost = format_cost(action.estimate_s, action.reboot)
        lines.append(f"{action.driver}: {action.summary}{f' ({cost})' if cost else ''}")
        lines += [
            f"    {change.what}: {change.before or '-'} -> {change.after or '-'}" for change in action.changes
        ]
        allowed = f" (allowed by {action.allowed})" if action.allowed else ""
        lines += [f"    DESTROYS {lost}{allowed}" for lost in action.destroys]
    scripts = find_script_titles(plan)
    lines += [f"script: {title} (what it does cannot be planned)" for title in scripts]
    if plan.actions or not scripts:
        actions = plan.actions
        lost = sum(len(action.destroys) for action in actions)
        reboot = any(action.reboot for action in actions)
        lines.append(format_sum(len(actions), lost, [action.estimate_s for action in actions], reboot))
    return lines


def format_notes(plan: JobPlan) -> list[str]:
    """Why something needs no action, and what could not be compared."""
    return [f"{part.driver.name}: {note}" for part in plan.drivers for note in part.planned.notes]
