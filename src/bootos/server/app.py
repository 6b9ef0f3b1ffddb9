"""Puts the server together: settings -> parts -> two applications over them, one for machines and one for operators.
`serve` runs them, each behind listeners of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, MediaType, Request, Response
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from bootos import __version__
from bootos.errors import BootosError
from bootos.files import clean_temporary
from bootos.server.api.agent_v2 import build_agent_router
from bootos.server.api.operator import build_operator_router
from bootos.server.api.operator_ca import build_ca_file
from bootos.server.auth import read_operator_token
from bootos.server.cloudboot.api import build_legacy_handler
from bootos.server.context import Context
from bootos.server.fault import Fault, RequestError
from bootos.server.health import Health
from bootos.server.hub import Hub
from bootos.server.image.shelf import Shelf
from bootos.server.image.upload import Uploads
from bootos.server.limit import PassedError
from bootos.server.netboot.boot_file import build_boot_files, build_grub_files
from bootos.server.netboot.pxe_directory import PxeDirectory
from bootos.server.netboot.tree import NetbootTree
from bootos.server.operation.address_file import write_address_file
from bootos.server.operation.ca import note_trouble, renew
from bootos.server.operation.enrol_rule import end_rules
from bootos.server.operation.next_boot import reconcile_pxe_files, write_pinned_files
from bootos.server.operation.order import tell_waiting_jobs
from bootos.server.operation.registration import write_heard
from bootos.server.operation.retention import SERVER, apply_retention, see_clock
from bootos.server.plane import build_elsewhere, is_operators, shield_machines, shield_operators
from bootos.server.presence import Presence
from bootos.server.rate import Rate
from bootos.server.settings import Settings
from bootos.server.store.engine import open_store
from bootos.server.store.hold import HoldLostError
from bootos.server.store.table import Image
from bootos.server.store.vault import Vault
from bootos.server.term import Terms
from bootos.server.tls.authority import Authority
from bootos.server.tls.given import GivenAuthority
from bootos.server.tls.name import list_names
from bootos.server.tls.own import OwnAuthority
from bootos.server.web.pages import build_web_router
from bootos.server.web.render import Pages, is_page

log = logging.getLogger(__name__)

WRITE_HEARD_EVERY_S = 10
RENEW_EVERY_S = 600
REMOVE_FIRST_S = 300  # after the start, so that a server that is started again and again removes, too
REMOVE_EVERY_S = 6 * 3600
LINK_EVERY_S = 60
END_EVERY_S = 60


def open_context(settings: Settings) -> Context:
    """The parts of a server, with its data directory and database open. Raises BootosError with what to do."""
    for directory in (settings.data, settings.files, settings.pxe_directory, settings.images):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise BootosError(
                f"the data directory {directory} cannot be made: {cause.strerror}",
                hint="choose another one with --data, or make it writable",
            ) from cause
    try:
        token, created = read_operator_token(settings.token_file)
        vault = Vault(settings.key_file)
    except OSError as cause:
        raise BootosError(
            f"the data directory {settings.data} cannot be used: {cause.filename}: {cause.strerror}",
            hint="it must belong to the user who runs the server",
        ) from cause
    if created:
        log.info("an operator token was made: it is in %s", settings.token_file)
    hub, shelf = Hub(), Shelf(settings)
    store = open_store(settings.database_url)
    store.publish = hub.publish
    return Context(
        settings=settings,
        store=store,
        hub=hub,
        presence=Presence(settings.session_grace_s),
        legacy_presence=Presence(settings.legacy_grace_s),
        vault=vault,
        shelf=shelf,
        uploads=Uploads(settings.images),
        pxe=PxeDirectory(settings.pxe_directory),
        tree=NetbootTree(settings, settings.machine_url, shelf),
        operator_token=token,
        registrations=Rate(settings.limits.registrations_per_address),
        new_registrations=Rate(settings.limits.registrations_per_minute),
        rule_terms=Terms(),
        health=Health(settings.limits.health_sentences),
        authority=open_authority(settings),
    )


def open_authority(settings: Settings) -> Authority:
    """The site's certificate, else the server's own authority. Raises BootosError."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return GivenAuthority(settings.tls_cert, settings.tls_key)
    return OwnAuthority(settings.tls_directory, lambda: list_names(settings))


def list_written(settings: Settings) -> list[Path]:
    """The directories in which the server writes files by their names."""
    below = [path for path in settings.tftp_root.iterdir() if path.is_dir() and not path.is_symlink()]
    return [settings.data, settings.tls_directory, settings.images, settings.tftp_root, *below]


def prepare(context: Context) -> None:
    """Bring the TFTP root and the images up to date with the settings and the store. Raises BootosError."""
    settings = context.settings
    for directory in list_written(settings):
        for path in clean_temporary(directory) if directory.is_dir() else ():
            log.info("removed %s, which a server that was killed has left", path)
    with context.store.read() as session:
        if lost := context.vault.find_lost(session):
            context.health.note(
                "secret.key",
                f"{settings.key_file} is not the key that {len(lost)} secret(s) were stored with: put it back from the "
                f"backup, or set them again (bootos secret set NAME): {', '.join(lost)}",
            )
        left = context.uploads.clean(session.scalars(select(Image.version)).all())
        context.shelf.read_stock(session)
        context.tree.lay_out()
        done = reconcile_pxe_files(context, session)
        done += write_pinned_files(context, session)
    for sentence in (*left, *done):
        log.warning("%s", sentence)
    see_clock(context)
    end_rules(context)
    link_files(context)
    if waiting := tell_waiting_jobs(context):
        log.warning(
            "%s job(s) wait until their machines are confirmed: bootos job list, bootos machine new",
            waiting,
        )
    note_trouble(context)
    write_address_file(context)


async def renew_certificate(context: Context, every_s: float = RENEW_EVERY_S) -> None:
    """Look every `every_s` seconds whether the server's certificate has to be renewed; runs until it is
    cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(renew, context)


async def write_presence(context: Context) -> None:
    """Write down every WRITE_HEARD_EVERY_S seconds who was heard of; runs until it is cancelled."""
    while True:
        await asyncio.sleep(WRITE_HEARD_EVERY_S)
        await asyncio.to_thread(write_heard, context)


def link_files(context: Context) -> None:
    """Have `files` served by TFTP, or say why it is not."""
    if trouble := context.tree.link_files():
        context.health.note("files", trouble)


async def watch_files(context: Context) -> None:
    """Look every LINK_EVERY_S seconds whether `files` may be served by TFTP; runs until it is cancelled."""
    while True:
        await asyncio.sleep(LINK_EVERY_S)
        await asyncio.to_thread(link_files, context)


async def watch_rules(context: Context) -> None:
    """Look every END_EVERY_S seconds which rules of enrolment have ended; runs until it is cancelled."""
    while True:
        await asyncio.sleep(END_EVERY_S)
        try:
            await asyncio.to_thread(end_rules, context)
        except (SQLAlchemyError, HoldLostError) as cause:
            log.warning("rules that are over could not be ended: %s", cause)


async def remove_old(context: Context, first_s: float = REMOVE_FIRST_S) -> None:
    """Remove what is old after `first_s` seconds, then every REMOVE_EVERY_S; runs until it is cancelled."""
    wait_s = first_s
    while True:
        await asyncio.sleep(wait_s)
        wait_s = REMOVE_EVERY_S
        try:
            await asyncio.to_thread(apply_retention, context, SERVER, dry_run=False)
        except (SQLAlchemyError, HoldLostError) as cause:
            log.warning("what is old could not be removed: %s", cause)


def read_peer(request: Request[Any, Any, Any]) -> str:
    """The address of who sent the request."""
    return request.client.host if request.client else "somebody"


def read_fault(
    health: Health, request: Request[Any, Any, Any], error: Exception
) -> tuple[Fault, int, dict[str, str]]:
    """Every error as a `Fault`, which is also the agent's `Refusal`, with its status and headers."""
    headers: dict[str, str] = {}
    if isinstance(error, RequestError):
        fault = Fault(
            error=error.message,
            hint=error.hint,
            problems=list(error.problems),
            retry_after_s=error.retry_after_s,
        )
        status = error.status
        if isinstance(error, PassedError):
            health.note(error.limit, f"{read_peer(request)} sent to {request.url.path}: {error.message}")
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, HTTPException):
        fault, status = Fault(error=error.detail or "the request cannot be done"), error.status_code
        if isinstance(error.extra, list):
            fault.hint = "; ".join(str(item.get("message", item)) for item in error.extra)
    elif isinstance(error, BootosError):
        log.error("%s %s: %s", request.method, request.url.path, error)
        fault, status = Fault(error=error.message, hint=error.hint), 500
    elif isinstance(error, (DataError, OverflowError)):  # what no column holds
        fault = Fault(
            error="a number or a text of this request is none that can be stored", hint="see docs/limits.md"
        )
        status = 422
    elif isinstance(error, IntegrityError):  # two did the same at the same moment, and one of them was first
        log.warning("%s %s: %s", request.method, request.url.path, error.orig)
        fault = Fault(
            error="somebody else changed the same at the same moment", hint="try again", retry_after_s=1
        )
        status = 409
    else:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        fault, status = Fault(error="the server failed; its log says why"), 500
    return fault, status, headers


@asynccontextmanager
async def live(context: Context, *, renew_every_s: float = RENEW_EVERY_S) -> AsyncIterator[None]:
    """An open context at work, in the event loop that answers requests; it is closed at the end."""
    context.hub.attach()
    works = (write_presence, watch_files, watch_rules, remove_old)
    tasks = [asyncio.create_task(work(context)) for work in works]
    tasks.append(asyncio.create_task(renew_certificate(context, renew_every_s)))
    try:
        yield
    finally:
        context.hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(write_heard, context)
        context.store.close()


def build_machine_app(context: Context) -> Litestar:
    """What machines reach: agents of both protocols, boot loaders and installers. Every answer is data, and none is a
    page."""
    settings = context.settings

    def answer_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        fault, status, headers = read_fault(context.health, request, error)
        if isinstance(error, NotFoundException) or is_operators(request.url.path):
            fault, status = build_elsewhere(settings, request.url.path), 404
        return Response(fault, status_code=status, media_type=MediaType.JSON, headers=headers)

    return Litestar(
        route_handlers=[
            build_agent_router(context),
            build_boot_files(context.shelf, settings.boot_files, settings.files, settings.tftp_root),
            build_grub_files(settings.tftp_root),
            build_legacy_handler(context),
        ],
        exception_handlers={Exception: answer_fault},
        before_send=[shield_machines],
        openapi_config=None,
        request_max_body_size=settings.limits.report_bytes,
        logging_config=None,
    )


def build_operator_app(context: Context) -> Litestar:
    """What operators reach: the pages, the operator API and its description."""
    pages = Pages(context)

    def answer_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        fault, status, headers = read_fault(context.health, request, error)
        if is_page(request):
            return pages.render_fault(request, status, fault)
        return Response(fault, status_code=status, media_type=MediaType.JSON, headers=headers)

    return Litestar(
        route_handlers=[
            build_operator_router(context),
            build_ca_file(context),
            build_web_router(context, pages),
        ],
        exception_handlers={Exception: answer_fault},
        before_send=[shield_operators],
        openapi_config=OpenAPIConfig(
            title="BootOS server",
            version=__version__,
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            description="Operator calls need the header `Authorization: Bearer <operator token>`.",
        ),
        request_max_body_size=context.settings.limits.operator_body_bytes,
        logging_config=None,
    )
