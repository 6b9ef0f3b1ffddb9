"""The server's certificate authority, as it is shown."""

import datetime as dt

import msgspec
from sqlalchemy import and_, or_, select

from bootos.server.context import Context
from bootos.server.store.table import Boot, Machine
from bootos.server.tls.certificate import read_names
from bootos.wire.words import say_fingerprint

ROUNDED = dt.timedelta(seconds=1)  # a certificate tells its time in whole seconds


class AuthorityView(msgspec.Struct, kw_only=True):
    """`fingerprint` is the SHA-256 of the authority's certificate, `former` that of the one before it, while both are
    good. `is_own`: the server made it; else the site did. `names` are what the server's certificate is for, which is
    good until `leaf_until`; `trouble`: why clients do not take it, or soon will not. `words` are the fingerprint for
    people who compare it. `left`: the machines that are up and would not find the server again without the former."""

    fingerprint: str
    former: str
    words: str
    is_own: bool
    until: dt.datetime
    names: list[str]
    leaf_until: dt.datetime
    trouble: str
    pem: str
    tls_url: str
    left: list[str]


def view_authority(context: Context) -> AuthorityView:
    """The authority at present."""
    authority = context.authority
    return AuthorityView(
        fingerprint=authority.fingerprint,
        former=next(iter(authority.fingerprints[1:]), ""),
        words=say_fingerprint(authority.fingerprint),
        is_own=authority.is_own,
        until=authority.certificate.not_valid_after_utc,
        names=read_names(authority.leaf),
        leaf_until=authority.leaf.not_valid_after_utc,
        trouble=authority.find_trouble(),
        pem=authority.pem,
        tls_url=context.tls_url,
        left=list_left(context),
    )


def list_left(context: Context) -> list[str]:
    """The confirmed machines that are heard of and know the server by the former authority alone, by their names: what
    a boot has pinned it keeps. Where a boot did not say its authority, it is the former if it came over TLS before
    there was the present one."""
    changed_at = context.authority.changed_at
    if changed_at is None:
        return []
    silent = and_(Boot.ca_sha256 == "", Boot.started_at <= changed_at + ROUNDED)
    said = and_(Boot.ca_sha256 != "", Boot.ca_sha256 != context.authority.fingerprint)
    query = (
        select(Machine.id, Machine.sn, Machine.last_heard_at)
        .join(Boot, Machine.boot_pk == Boot.id)
        .where(Boot.secure, or_(silent, said), Machine.confirmed_at.is_not(None))
        .order_by(Machine.sn)
    )
    with context.store.read() as session:
        return [
            sn for number, sn, heard in session.execute(query) if context.presence.is_heard(number, heard)
        ]
