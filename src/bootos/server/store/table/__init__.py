"""The tables, as SQLAlchemy 2 models. Written for SQLite and PostgreSQL alike; a change here needs a migration
in `store/migrations/versions`. Only `bootos.server` modules import this; nothing of it goes over the wire."""

from bootos.server.store.table.audit import Audit, Retention
from bootos.server.store.table.column import Base, Json, Moment, read_clock
from bootos.server.store.table.image import Image, ImageDefault, ImagePin
from bootos.server.store.table.job import Job, LogLine
from bootos.server.store.table.machine import (
    Alias,
    Boot,
    Capture,
    Claim,
    EnrolRule,
    ExpectedMac,
    Mac,
    Machine,
    Mark,
)
from bootos.server.store.table.pool import Allotment, Pool
from bootos.server.store.table.template import PxeTemplate, Secret, Support, Template

__all__ = [
    "Alias",
    "Allotment",
    "Audit",
    "Base",
    "Boot",
    "Capture",
    "Claim",
    "EnrolRule",
    "ExpectedMac",
    "Image",
    "ImageDefault",
    "ImagePin",
    "Job",
    "Json",
    "LogLine",
    "Mac",
    "Machine",
    "Mark",
    "Moment",
    "Pool",
    "PxeTemplate",
    "Retention",
    "Secret",
    "Support",
    "Template",
    "read_clock",
]
