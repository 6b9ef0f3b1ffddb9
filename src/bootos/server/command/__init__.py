"""The operator's commands, mounted by `bootos.cli`. All but `serve` are clients of the operator API."""

from bootos.server.command.image import image_app
from bootos.server.command.job import job_app
from bootos.server.command.machine import machine_app
from bootos.server.command.pool import pool_app
from bootos.server.command.serve import serve_app
from bootos.server.command.support import support_app
from bootos.server.command.template import pxe_app, secret_app, template_app

__all__ = [
    "image_app",
    "job_app",
    "machine_app",
    "pool_app",
    "pxe_app",
    "secret_app",
    "serve_app",
    "support_app",
    "template_app",
]
