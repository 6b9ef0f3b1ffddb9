"""Images: taken in, published, made the default, pinned, removed. Every change of what is served goes through here: the
store first, then the shelf, then the TFTP root."""

import base64

import msgspec
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fault import ConflictError, ForbiddenError, NotFoundError, UnusableError
from bootos.server.image import version as versions
from bootos.server.image.manifest import LOCAL, parse_manifest
from bootos.server.image.signature import find_signer, read_trusted
from bootos.server.image.upload import MANIFEST, FileState
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.next_boot import write_pinned_files
from bootos.server.store.machine import find_machine
from bootos.server.view.image import ImageView, PinsView, PinView, UploadView, find_image_view, view_pin
from bootos.wire.manifest import Manifest


class NewImage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The text of `manifest.json`, to the byte, and the signature in base64."""

    manifest: str
    signature: str = ""


class Publication(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is new in the image, and whether machines boot it from now on."""

    note: str = ""
    default: bool = False


class NewPin(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For a machine (serial number, or id as `id:5`), or for a model: wildcard patterns, as in the support list."""

    version: str
    machine: str = ""
    vendor: str = ""
    product: str = ""


def begin_upload(context: Context, data: NewImage) -> UploadView:
    """Check the manifest and its signature before anything is taken in; returns how much of each file is here. Raises
    UnusableError, ForbiddenError (the signature), ConflictError (published with other files), NoRoomError."""
    try:
        raw, signature = data.manifest.encode(), base64.b64decode(data.signature, validate=True)
    except ValueError as cause:  # binascii.Error, and that of a text that is not ASCII
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


def write_piece(context: Context, version: str, name: str, offset: int, content: bytes) -> FileState:
    """Add to the end of a file of an upload; returns where the end is now, in bytes. Raises NotFoundError,
    UnusableError."""
    return context.uploads.write_piece(version, name, offset, content)


def publish_image(context: Context, actor: Actor, version: str, wanted: Publication) -> ImageView:
    """Check every file of an upload and put the image in its place; again is fine. Returns the image. Raises
    NotFoundError, ConflictError (not complete), UnusableError (not the files of its manifest)."""
    damaged = find_damage(context, version)

    def enter(manifest: Manifest) -> None:
        words = [wanted.note] if wanted.note else []
        words += [f"replaced what was damaged: {', '.join(damaged)}"] if damaged else []
        with context.store.write() as session:
            versions.add_image(session, manifest.version, note=wanted.note, published_by=actor.name)
            record(session, actor, "image.publish", manifest.version, "; ".join(words))
            session.after_commit(lambda: refresh(context))

    try:
        context.uploads.finish(version, enter)
    except NotFoundError:  # there is no upload: the image was published before, or by another client just now
        with context.store.write() as session:
            versions.find_image(session, version)
            versions.add_image(session, version, note=wanted.note, published_by=actor.name)
            if wanted.note:
                record(session, actor, "image.publish", version, wanted.note)
    return make_default(context, actor, version) if wanted.default else _show(context, version)


def make_default(context: Context, actor: Actor, version: str) -> ImageView:
    """From one request to the next, machines get this one; who has begun to load another one gets that to its end.
    Returns the image. Raises NotFoundError, ConflictError (it cannot be served)."""
    with context.store.write() as session:
        check_served(context, session, version)
        before = versions.read_default(session)
        if versions.set_default(session, version):
            record(session, actor, "image.default", version, f"before: {before}")
            session.after_commit(lambda: refresh(context))
    return _show(context, version)


def roll_back(context: Context, actor: Actor) -> ImageView:
    """Make the default before the present one the default again; returns it. Raises ConflictError when there was none,
    or when it cannot be served."""
    with context.store.write() as session:
        before, version = versions.roll_back(session)
        check_served(context, session, version)
        record(session, actor, "image.rollback", version, f"before: {before}")
        session.after_commit(lambda: refresh(context))
    return _show(context, version)


def remove_image(context: Context, actor: Actor, version: str) -> None:
    """Remove a version and its files. Raises NotFoundError, ConflictError (the default, or pinned)."""
    with context.store.write() as session:
        versions.remove_image(session, version)
        record(session, actor, "image.remove", version)
        session.after_commit(lambda: refresh(context))
    context.uploads.remove(version)


def add_pin(context: Context, actor: Actor, wanted: NewPin) -> PinsView:
    """Pin an image for a machine or a model; returns the pin, and the PXE files that were left alone. Raises
    NotFoundError, UnusableError (neither, or both), ConflictError (it cannot be served)."""
    if wanted.machine and (wanted.vendor or wanted.product):
        raise UnusableError("a pin is for a machine or for a model, not for both")
    with context.store.write() as session:
        machine = find_machine(session, wanted.machine) if wanted.machine else None
        check_served(context, session, wanted.version)
        row = versions.set_pin(
            session, wanted.version, machine=machine, vendor=wanted.vendor, product=wanted.product
        )
        pin = view_pin(session, row)
        record(session, actor, "image.pin", wanted.version, describe_pin(pin))
        return PinsView(pin=pin, left=write_pinned_files(context, session))


def remove_pin(context: Context, actor: Actor, pin_id: int) -> None:
    """Remove a pin. Raises NotFoundError."""
    with context.store.write() as session:
        row = versions.remove_pin(session, pin_id)
        record(session, actor, "image.unpin", row.version, describe_pin(view_pin(session, row)))
        write_pinned_files(context, session)


def _show(context: Context, version: str) -> ImageView:
    with context.store.read() as session:
        return find_image_view(context, session, version)


def refresh(context: Context) -> None:
    """Let what was committed be served."""
    with context.shelf.lock:  # one after the other: the last one reads the newest state
        with context.store.read() as session:
            context.shelf.read_stock(session)
        context.tree.follow_shelf()


def check_served(context: Context, session: Session, version: str) -> None:
    """Machines are not sent to an image that cannot be served. Raises NotFoundError, ConflictError."""
    versions.check_version(session, version)
    item = context.shelf.find_item(version)
    if item is not None and item.problem:
        raise ConflictError(f"the image {version} is not served: {item.problem}")


def describe_pin(pin: PinView) -> str:
    """What the pin is for, for the audit log."""
    return f"machine {pin.sn}" if pin.sn else f"model {pin.vendor} / {pin.product}"
