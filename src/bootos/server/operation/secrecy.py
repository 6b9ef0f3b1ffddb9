"""Whether secrets can go to a machine over TLS, and what to do where they cannot. `standing` asks for the boot that
wants a job, `order` whether it ever can, `job` before one is made.

A boot speaks over TLS (`Boot.secure`) when it registered so, and said its session nowhere else: whoever is on the way
of one call over http reads the session in it.
"""

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fault import ConflictError
from bootos.server.image.choice import choose_image
from bootos.server.image.manifest import LOCAL
from bootos.server.image.version import read_default, read_pins
from bootos.server.operation.identity import find_holder, is_spoken_for
from bootos.server.store.machine import find_session
from bootos.server.store.table import Boot, Job
from bootos.wire.ability import is_able

ABILITY = "tls:offer"
IN_A_LAB = "in a lab, bootos serve --plain-secrets sends secrets over http"
NO_END = "this server has no TLS end"
ANOTHER = "boot the machine with an image of this server's release"
WAYS = f"{ANOTHER}; {IN_A_LAB}"


def note_way(context: Context, authorization: str | None, *, secure: bool) -> None:
    """Note how the session of this `Authorization` header was said; `secure`: over TLS, and the answer goes so. One
    that began over TLS and is said over http is one of http from then on, for its calls over TLS too. Raises
    UnauthorizedError."""
    if secure:
        return
    with context.store.read() as session:
        if not find_session(session, authorization)[1].secure:
            return
    with context.store.write() as session:
        machine, boot = find_session(session, authorization)
        boot.secure = False
        session.touch(f"machine:{machine.id}")
    context.health.note(
        "session",
        f"{machine.sn} said over http the session that it began over TLS: it is sent no secrets in it",
    )


def find_plain_bar(context: Context, boot: Boot | None) -> str:
    """Why this boot is sent no secrets as long as it speaks as it does, as a sentence; empty: it speaks over TLS, or
    the operator said that secrets may go over http. `boot` None: an agent of Cloudboot v1."""
    if context.settings.plain_secrets or (boot is not None and boot.secure):
        return ""
    if not context.tls.url:
        return f"secrets go over TLS only, and {NO_END}: start it with --tls-listen; {IN_A_LAB}"
    if unable := find_unable(context, boot):
        return f"{unable}: {WAYS}"
    return (
        f"secrets go over TLS only, and this boot speaks over http: its console says why it did not reach "
        f"{context.tls.url}; mend that and boot it again; {IN_A_LAB}"
    )


def find_unable(context: Context, boot: Boot | None) -> str:
    """Why the agent of this boot can never be sent secrets; empty: it can."""
    if context.settings.plain_secrets or (
        boot is not None and (boot.secure or is_able(boot.abilities, ABILITY))
    ):
        return ""
    return "secrets go over TLS only, which the agent of this boot does not speak"


def check_secrecy(context: Context, session: Session, job: Job) -> None:
    """Raises ConflictError where it is known before the job is made that its machine cannot be sent its secrets."""
    if not job.secret_names or context.settings.plain_secrets:
        return
    why, ways = _find_hindrance(context, session, job)
    if why:
        raise ConflictError(
            f"the template refers to secrets ({', '.join(job.secret_names)}), which go over TLS only, and {why}",
            hint=ways,
        )


def _find_hindrance(context: Context, session: Session, job: Job) -> tuple[str, str]:
    """What is in the way, and the ways on: the agent that runs there now, else the image that comes next. Both empty:
    nothing, as far as is known."""
    if not context.tls.url:
        return NO_END, f"start it with --tls-listen; {IN_A_LAB}"
    machine = job.machine
    if machine.protocol == 1 and not job.skip_hardware and is_spoken_for(context, session, machine):
        return f"the agent that runs on {machine.sn} speaks Cloudboot v1, which is never sent any", ANOTHER
    # What a boot cannot do that is not believed says nothing of the machine.
    is_there = machine.id is not None and not machine.doubt
    holder = find_holder(context, session, machine) if is_there else None
    if holder is not None:
        if not find_unable(context, holder):
            return "", ""
        return (
            f"the agent that runs on {machine.sn} ({machine.agent_version or 'an old one'}) does not speak it",
            WAYS,
        )
    choice = choose_image(
        read_pins(session),
        read_default(session),
        machine_id=machine.id,
        vendor=machine.vendor,
        product=machine.product,
    )
    item = context.shelf.find_item(choice.version)
    if choice.version == LOCAL or item is None or item.manifest is None:
        return "", ""
    if is_able(context.shelf.read_abilities(choice.version), ABILITY):
        return "", ""
    hint = f"let it boot a newer one: bootos image default VERSION, or bootos image pin; {IN_A_LAB}"
    return f"the image that {machine.sn} boots next ({choice.version}) does not speak it", hint
