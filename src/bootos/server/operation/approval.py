"""Approving a plan: a plan job's result becomes the order that carries out exactly that plan. Called by the API and
the web. The agent compares (`engine.approval`): if its plan is another one by then, nothing is changed."""

from bootos.server.context import Context
from bootos.server.fault import ConflictError, UnusableError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.job import queue_job
from bootos.server.operation.transition import add_line
from bootos.server.store.engine import WriteSession
from bootos.server.store.job import find_job, why_not_approvable
from bootos.server.store.table import Job
from bootos.server.store.vault import find_unknown
from bootos.server.view.job import JobDetail, view_job_detail


def approve_plan(context: Context, actor: Actor, job_id: int) -> JobDetail:
    """Queue the job that carries out the plan of this one, with the plan's own copy of the template; returns the new
    job. Raises NotFoundError, ConflictError (no plan to approve, one that was approved, the machine has a job),
    UnusableError (a secret of the template is gone)."""
    with context.store.write() as session:
        plan = find_job(session, job_id)
        job = queue_approved(context, session, plan, approved_by=actor.signature)
        record(session, actor, "job.approve", plan.id, describe_approval(job))
        return view_job_detail(session, job)


def queue_approved(context: Context, session: WriteSession, plan: Job, *, approved_by: str) -> Job:
    """Queue the job that carries out this plan; returns it. Raises ConflictError, UnusableError."""
    reason = why_not_approvable(session, plan)
    if reason:
        raise ConflictError(
            reason, hint="make one with bootos job create --plan, and approve it when it is planned"
        )
    unknown = find_unknown(session, plan.secret_names)
    if unknown:
        names = ", ".join(unknown)
        raise UnusableError(
            f"secrets of the template are not stored any more: {names}", hint="bootos secret set NAME"
        )
    report = plan.report or {}
    job = Job(
        machine=plan.machine,
        mode="apply",
        template_name=plan.template_name,
        template_version=plan.template_version,
        template_format=plan.template_format,
        template_text=plan.template_text,
        template=plan.template,
        bases=plan.bases,
        secret_names=plan.secret_names,
        pxe_name=plan.pxe_name,
        pxe_content=plan.pxe_content,
        pxe_answer=plan.pxe_answer,
        pxe_reports=plan.pxe_reports,
        skip_hardware=plan.skip_hardware,
        skip_reason=plan.skip_reason,
        reboot=plan.reboot,
        script_sums=plan.script_sums,
        created_by=approved_by,
        plan_job=plan.id,
        approval={
            "plan_hash": report["plan_hash"],
            "actions": [action for step in report.get("steps", []) for action in step["actions"]],
        },
    )
    queue_job(context, session, job)
    add_line(
        session, plan, f"the plan was approved by {approved_by or 'an operator'}: job {job.id} carries it out"
    )
    session.touch(f"job:{plan.id}")
    return job


def describe_approval(job: Job) -> str:
    """What an approved job may do to which machine, for the audit log."""
    approval = job.approval or {}
    lost = sum(len(action["destroys"]) for action in approval["actions"])
    return (
        f"{job.machine.sn}: job {job.id} does {len(approval['actions'])} action(s) that destroy {lost} thing(s), "
        f"{approval['plan_hash']}"
    )
