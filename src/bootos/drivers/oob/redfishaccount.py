"""The accounts of a BMC, as `oob.redfish` plans them. Pure."""

from typing import Any

from bootos.drivers.contract import Change, Planned
from bootos.drivers.oob.ipmiplan import resolve_password
from bootos.drivers.oob.redfishresource import ROLES, build_privileges
from bootos.drivers.oob.redfishstate import NAME, Account, SetAccount, State
from bootos.errors import Problems
from bootos.masking import Hidden
from bootos.template.model import Oob, OobUser


def plan_users(state: State, oob: Oob, secrets: dict[str, str], planned: Planned) -> None:
    """The accounts that the template names: created, or changed to what it says."""
    if oob.users and not state.account_collection:
        message = "this Redfish service shows no accounts"
        planned.complain("oob.users", message, "leave them out, or use driver: oob.ipmi")
        return
    free = [account for account in state.accounts if not account.name]
    for index, wanted in enumerate(oob.users):
        at = f"oob.users[{index}]"
        password, found = resolve_password(wanted, secrets, at)
        problems = Problems(found)
        role = next((name for name in ROLES[wanted.role] if not state.roles or name in state.roles), None)
        if role is None:
            message = f"this service has no role for {wanted.role!r}: it has {', '.join(state.roles)}"
            problems.complain(f"{at}.role", message)
        present = next((account for account in state.accounts if account.name == wanted.name), None)
        if present is None and not free and not state.fixed_slots and not state.takes_accounts:
            problems.complain(at, f"this service creates no accounts, and {wanted.name!r} is not there")
        if present is None and password is None and not problems:
            problems.complain(f"{at}.password", f"{wanted.name!r} is new and needs a password")
        if present is None and state.fixed_slots and not free:
            message = f"there is no free slot for {wanted.name!r}: all of the BMC's accounts are named"
            problems.complain(at, message)
        if present is None and state.unread_accounts:
            unread = ", ".join(state.unread_accounts)
            problems.complain(at, f"whether {wanted.name!r} is there cannot be told: {unread} cannot be read")
        if not wanted.enabled and present is not None and present.enabled is None:
            problems.complain(f"{at}.enabled", f"this service cannot disable accounts: {wanted.name!r}")
        planned.problems += problems
        if problems or role is None:
            continue
        if present is not None and not present.tells_role:
            planned.notes.append(
                f"BMC user {wanted.name!r}: this service does not show its role, which is left as it is"
            )
        changes = _compare_account(present, wanted, role, password is not None)
        if not changes:
            planned.notes.append(f"BMC user {wanted.name!r} is as wanted")
            continue
        slot = present or (free.pop(0) if state.fixed_slots else None)
        new_password = any(change.what.endswith("password") for change in changes)
        planned.act(
            f"{NAME}:user:{wanted.name}",
            f"{'change' if present else 'create'} BMC user {wanted.name}"
            + (f" (account {slot.id})" if slot else ""),
            _build_account(state, slot, present, wanted, role, password if new_password else None),
            at,
            *changes,
        )


def _compare_account(present: Account | None, wanted: OobUser, role: str, has_password: bool) -> list[Change]:
    what = f"BMC user {wanted.name}"
    if present is None:
        state = "" if wanted.enabled else ", disabled"
        return [Change(what=what, after=f"{role}{state}"), Change(what=f"{what} password", after="set")]
    changes: list[Change] = []
    if present.tells_role and present.role not in ROLES[wanted.role] and not _has_privileges(present, wanted):
        changes.append(Change(what=f"{what} role", before=present.role, after=role))
    if present.enabled is not None and present.enabled != wanted.enabled:
        words = {True: "enabled", False: "disabled"}
        changes.append(Change(what=what, before=words[present.enabled], after=words[wanted.enabled]))
    # A disabled account cannot log on, so its password cannot be tested.
    if has_password and wanted.enabled and present.right is not True:
        before = "another one" if present.right is False else "unknown: it was not asked"
        changes.append(Change(what=f"{what} password", before=before, after="set"))
    return changes


def _has_privileges(present: Account, wanted: OobUser) -> bool:
    return bool(present.privileges) and present.privileges == build_privileges(
        wanted.role, present.privileges
    )


def _build_account(
    state: State,
    slot: Account | None,
    present: Account | None,
    wanted: OobUser,
    role: str,
    password: str | None,
) -> SetAccount:
    body: dict[str, Any] = {}
    # an account of a service whose accounts show no role takes none
    like = present or next((account for account in state.accounts if account.privileges), None)
    if like is not None and like.privileges:
        body["Oem"] = {like.oem: {"Privileges": build_privileges(wanted.role, like.privileges)}}
    elif present is None or present.tells_role:
        body["RoleId"] = role
    if present is None:
        body["UserName"] = wanted.name
    # a new account is enabled by itself, and some BMCs refuse `Enabled` in the request; some accounts do not show it
    if (slot is not None and slot.enabled is not None) or not wanted.enabled:
        body["Enabled"] = wanted.enabled
    if slot is None and state.vendor in ("Hp", "Hpe"):
        own = body.setdefault("Oem", {}).setdefault(state.vendor, {})
        own["LoginName"] = wanted.name  # iLO requires a display name
    return SetAccount(
        path=slot.path if slot is not None else state.account_collection,
        create=slot is None,
        body=body,
        password=Hidden(password) if password is not None else None,
    )


def plan_other_users(state: State, oob: Oob, planned: Planned) -> None:
    """All accounts that the template does not name are disabled, but not the one that this job is logged on with."""
    if not state.account_collection or state.unread_accounts:
        message = "this Redfish service does not show all accounts"
        planned.complain("oob.other_users", message, "leave it out, or use driver: oob.ipmi")
        return
    kept = {user.name for user in oob.users}
    for account in state.accounts:
        if not account.name or account.name in kept or account.enabled is False:
            continue
        if account.name == state.logged_on_as:
            message = f"would disable {account.name!r}, the account that this job is logged on with"
            hint = "list it in oob.users, or log on with one that is listed"
            planned.complain("oob.other_users", message, hint)
            continue
        if account.enabled is None:
            planned.complain("oob.other_users", f"this service cannot disable accounts: {account.name!r}")
            continue
        planned.act(
            f"{NAME}:disable:{account.name}",
            f"disable BMC user {account.name} (account {account.id})",
            SetAccount(path=account.path, create=False, body={"Enabled": False}),
            "oob.other_users",
            Change(what=f"BMC user {account.name}", before="enabled", after="disabled"),
        )
