"""The tables of jobs and of the lines that they log."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bootos.server.store.table.column import Base, Json, read_clock
from bootos.server.store.table.machine import Machine


class Job(Base):
    """One run of a template on a machine. It keeps its own copy of the template and the PXE template.

    `template_text` is what the operator wrote; `template` is what the machine gets: with its bases (`bases`: their
    names and versions) and this machine's values in it. `approval` is the plan of `plan_job`, as it was approved.

    `report` is the agent's last whole report (without log lines and inventory), `handed_to` the session that
    holds the order, `ended_at` None while the job is active: at most one such job per machine. `developer`: it ran
    in developer mode, and then `inventory_before` is the machine as it was before. What is large is read only when
    it is used (deferred): reports come often.

    For Cloudboot v1, which has no sessions: `agent_address` is where the job's agent calls from, `installer_address`
    from where its `token` came, which its PXE file has while there is one; `script_sums` are those of the scripts that
    were approved (`server.script`), None where the job was made by a release that kept none.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "uq_job_active",
            "machine_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        # an id is never used again, also not that of the newest job after it was deleted
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(default="queued", index=True)
    mode: Mapped[str] = mapped_column(default="apply")
    template_name: Mapped[str]
    template_version: Mapped[int]
    template_format: Mapped[str]
    template_text: Mapped[str] = mapped_column(deferred=True)
    template: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    secret_names: Mapped[list[str]] = mapped_column(default=list)
    pxe_name: Mapped[str] = mapped_column(default="")
    pxe_content: Mapped[str] = mapped_column(default="", deferred=True)
    pxe_answer: Mapped[str] = mapped_column(default="", deferred=True)
    pxe_reports: Mapped[bool] = mapped_column(default=True)
    pxe_file: Mapped[str] = mapped_column(default="")
    skip_hardware: Mapped[bool] = mapped_column(default=False)
    skip_reason: Mapped[str] = mapped_column(default="")
    reboot: Mapped[bool] = mapped_column(default=True)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=0)
    handed_to: Mapped[str] = mapped_column(default="")
    agent_address: Mapped[str] = mapped_column(default="")
    installer_address: Mapped[str] = mapped_column(default="")
    token: Mapped[str] = mapped_column(default="")
    script_sums: Mapped[list[dict[str, Any]] | None] = mapped_column(Json, deferred=True)
    said: Mapped[str] = mapped_column(default="")
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    bases: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    plan_job: Mapped[int | None]
    approval: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    developer: Mapped[bool] = mapped_column(default=False)
    inventory_before: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    message: Mapped[str] = mapped_column(default="")
    progress: Mapped[float | None]
    log_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=read_clock)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    machine: Mapped[Machine] = relationship(lazy="joined")


class LogLine(Base):
    """A line of a machine's log. `boot_pk` and `n` are the agent's own numbering and make storing idempotent;
    lines of the server itself and of v1 agents have none."""

    __tablename__ = "log_line"
    __table_args__ = (
        UniqueConstraint("boot_pk", "n"),
        Index("ix_log_line_job_id", "job_id", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[int | None]
    boot_pk: Mapped[int | None]
    n: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[str]
    level: Mapped[str] = mapped_column(default="info")
    source: Mapped[str] = mapped_column(default="agent")
    text: Mapped[str]
