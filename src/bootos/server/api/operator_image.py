"""The operator's calls about images: publish, choose, pin, remove. Every change of what is served goes through here or
through the pages, which call the same functions: the store first, then the shelf.
"""

import asyncio
import base64
import binascii
from typing import Annotated

import msgspec
from litestar import Request, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.orm import Session

from bootos.server.api.note import Caller, note, read_actor
from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, NotFoundError, UnusableError
from bootos.server.image import versions
from bootos.server.image.manifest import LOCAL, parse_manifest
from bootos.server.image.signature import find_signer, read_trusted
from bootos.server.image.upload import MANIFEST, FileState
from bootos.server.operation import machine as machines
from bootos.server.operation.next_boot import write_pinned_files
from bootos.server.store.engine import WriteSession
from bootos.server.view import image as shown
from bootos.server.view.image import ImageView, PinsView, PinView, UploadView, find_image_view, view_pin
from bootos.wire.manifest import Manifest


class NewImage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The text of `manifest.json`, to the byte, and the signature in base64."""

    manifest: str
    signature: str = ""


class Publication(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    note: str = ""
    default: bool = False


class NewPin(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For a machine (serial number, or id as `id:5`), or for a model: wildcard patterns, as in the support list."""

    version: str
    machine: str = ""
    vendor: str = ""
    product: str = ""


def build_image_calls(context: Context) -> list[HTTPRouteHandler]:
    """`/images` and `/pins`."""
    store, uploads = context.store, context.uploads

    @get("/images", sync_to_thread=True)
    def list_images() -> list[ImageView]:
        with store.read() as session:
            return shown.view_images(context, session)

    @get("/images/{version:str}", sync_to_thread=True)
    def show_image(version: FromPath[str]) -> ImageView:
        with store.read() as session:
            return find_image_view(context, session, version)

    @post("/images", sync_to_thread=True, status_code=200)
    def begin_upload(data: JSONBody[NewImage]) -> UploadView:
        return begin(context, data)

    @put("/images/{version:str}/files", status_code=200)
    async def write_piece(
        request: Request,  # type: ignore[type-arg]
        version: FromPath[str],
        name: Annotated[str, QueryParameter()],
        offset: Annotated[int, QueryParameter(ge=0)],
    ) -> FileState:
        content = await request.body()
        return await asyncio.to_thread(uploads.write_piece, version, name, offset, content)

    @post("/images/{version:str}/publish", sync_to_thread=True, status_code=200)
    def publish(version: FromPath[str], data: JSONBody[Publication], request: Caller) -> ImageView:
        def enter(manifest: Manifest) -> None:
            with store.write() as session:
                add_published(session, request, manifest, data, damaged)
                session.after_commit(lambda: refresh(context))

        damaged = find_damage(context, version)
        try:
            uploads.finish(version, enter)
        except NotFoundError:  # no upload of it: it was published before, or by another client just now
            with store.write() as writing:
                versions.find_image(writing, version)
                versions.add_image(writing, version, note=data.note, published_by=read_actor(request))
        if data.default:
            make_default(context, request, version)
        with store.read() as session:
            return find_image_view(context, session, version)

    @post("/images/{version:str}/default", sync_to_thread=True, status_code=200)
    def choose_default(version: FromPath[str], request: Caller) -> ImageView:
        make_default(context, request, version)
        with store.read() as session:
            return find_image_view(context, session, version)

    @post("/images/rollback", sync_to_thread=True, status_code=200)
    def roll_back(request: Caller) -> ImageView:
        version = go_back(context, request)
        with store.read() as session:
            return find_image_view(context, session, version)

    @delete("/images/{version:str}", sync_to_thread=True, status_code=204)
    def remove_image(version: FromPath[str], request: Caller) -> None:
        with store.write() as session:
            versions.remove_image(session, version)
            note(session, request, "image.remove", version)
            session.after_commit(lambda: refresh(context))
        uploads.remove(version)

    @get("/pins", sync_to_thread=True)
    def list_pins() -> list[PinView]:
        with store.read() as session:
            return shown.list_pins(session)

    @post("/pins", sync_to_thread=True)
    def add_pin(data: JSONBody[NewPin], request: Caller) -> PinsView:
        if data.machine and (data.vendor or data.product):
            raise UnusableError("a pin is for a machine or for a model, not for both")
        with store.write() as session:
            machine = machines.find_machine(session, data.machine) if data.machine else None
            check_served(context, session, data.version)
            row = versions.set_pin(
                session, data.version, machine=machine, vendor=data.vendor, product=data.product
            )
            note(session, request, "image.pin", data.version, describe_pin(view_pin(session, row)))
            left = write_pinned_files(context, session)
            return PinsView(pin=view_pin(session, row), left=left)

    @delete("/pins/{pin:int}", sync_to_thread=True, status_code=204)
    def remove_pin(pin: FromPath[int], request: Caller) -> None:
        with store.write() as session:
            row = versions.remove_pin(session, pin)
            note(session, request, "image.unpin", row.version, describe_pin(view_pin(session, row)))
            write_pinned_files(context, session)

    return [
        list_images,
        show_image,
        begin_upload,
        write_piece,
        publish,
        choose_default,
        roll_back,
        remove_image,
        list_pins,
        add_pin,
        remove_pin,
    ]


def begin(context: Context, data: NewImage) -> UploadView:
    """Check the manifest and its signature before anything is taken in."""
    try:
        raw, signature = data.manifest.encode(), base64.b64decode(data.signature, validate=True)
    except binascii.Error as cause:
        raise UnusableError(f"the signature is not base64: {cause}") from cause
    manifest = parse_manifest(raw)
    signer = find_signer(read_trusted(context.settings.trusted_keys), raw, signature)
    if signature and not signer:
        raise ForbiddenError(
            "the signature is of no trusted key",
            hint=f"on the server: bootos image key trust FILE.pub puts a key into {context.settings.trusted_keys}",
        )
    if not signer and context.settings.require_signature:
        raise ForbiddenError(
            "this server takes signed images only", hint="bootos image publish --key FILE signs the image"
        )
    item = context.shelf.stock.items.get(manifest.version)
    if item is not None and item.manifest is not None:
        if item.manifest.files != manifest.files:
            raise ConflictError(
                f"{manifest.version} is published already, with other files",
                hint="a version is what is in the image: build it anew, do not change its files by hand",
            )
        is_same = item.signed_by == signer and (item.directory / MANIFEST).read_bytes() == raw
        if is_same and not find_damage(context, manifest.version):
            return UploadView(version=manifest.version, is_published=True, files=[])
    others = [other.manifest for other in context.shelf.stock.items.values() if other.version != LOCAL]
    files = context.uploads.begin(raw, signature, published=[other for other in others if other is not None])
    damaged = find_damage(context, manifest.version)
    return UploadView(version=manifest.version, is_published=False, damaged=damaged, files=files)


def find_damage(context: Context, version: str) -> list[str]:
    """The files of a published image that are damaged. Reads all of them."""
    item = context.shelf.stock.items.get(version)
    if item is None:
        return []
    return context.uploads.find_damage(item.manifest) if item.manifest is not None else [MANIFEST]


def add_published(
    session: WriteSession, request: Caller, manifest: Manifest, data: Publication, damaged: list[str]
) -> None:
    versions.add_image(session, manifest.version, note=data.note, published_by=read_actor(request))
    words = [data.note] if data.note else []
    words += [f"replaced what was damaged: {', '.join(damaged)}"] if damaged else []
    note(session, request, "image.publish", manifest.version, "; ".join(words))


def refresh(context: Context) -> None:
    """Let what was committed be served."""
    with context.shelf.lock:  # whoever comes last reads what is newest
        with context.store.read() as session:
            context.shelf.read_stock(session)
        context.tree.follow_shelf()


def check_served(context: Context, session: Session, version: str) -> None:
    """Machines are not sent to an image that cannot be served. Raises NotFoundError, ConflictError."""
    versions.check_version(session, version)
    item = context.shelf.find_item(version)
    if item is not None and item.problem:
        raise ConflictError(f"the image {version} is not served: {item.problem}")


def make_default(context: Context, request: Caller, version: str) -> None:
    """From one request to the next, machines get this one; who has begun to load another one gets that to its end."""
    with context.store.write() as session:
        check_served(context, session, version)
        before = versions.read_default(session)
        if versions.set_default(session, version):
            note(session, request, "image.default", version, f"before: {before}")
            session.after_commit(lambda: refresh(context))


def go_back(context: Context, request: Caller) -> str:
    """The default before the present one; returns it."""
    with context.store.write() as session:
        before, version = versions.roll_back(session)
        check_served(context, session, version)
        note(session, request, "image.rollback", version, f"before: {before}")
        session.after_commit(lambda: refresh(context))
    return version


def describe_pin(pin: PinView) -> str:
    return f"machine {pin.sn}" if pin.sn else f"model {pin.vendor} / {pin.product}"
