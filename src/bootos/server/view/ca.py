"""The server's certificate authority, as it is shown."""

import datetime as dt

import msgspec

from bootos.server.context import Context
from bootos.server.tls.certificate import read_names
from bootos.wire.words import say_fingerprint


class AuthorityView(msgspec.Struct, kw_only=True):
    """`fingerprint` is the SHA-256 of the authority's certificate, `former` that of the one before it, while both are
    good. `is_own`: the server made it; else the site did. `names` are what the server's certificate is for, which is
    good until `leaf_until`; `trouble`: why clients do not take it, or soon will not. `words` are the fingerprint for
    people who compare it."""

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
    )
