"""An approved plan is carried out to the letter, or not at all; later attempts do nothing beyond it."""

from collections.abc import Sequence

import msgspec
import pytest

from bootos.engine.approval import check_approval
from bootos.engine.planhash import hash_plan
from bootos.wire.v2 import ActionView, Approval, Change, Order, StepState


def action(name: str, **more: object) -> ActionView:
    changes = [Change(what=name, before="off", after="on")]
    return ActionView(id=f"bios:{name}", driver="bios", summary=f"set {name}", **{"changes": changes, **more})  # type: ignore[arg-type]


PLAN = [action("vt"), action("sriov", reboot=True, destroys=["ext4 on /dev/sdb1"])]


def order(
    *, earlier: dict[str, StepState] | None = None, plan: list[ActionView] = PLAN, **more: object
) -> Order:
    approved = Approval(plan_hash=hash_plan(plan), actions=plan)
    return Order(job_id="1", approved=approved, earlier=earlier or {}, **more)  # type: ignore[arg-type]


def said(found: Sequence[object]) -> str:
    return "\n".join(str(problem) for problem in found)


def test_the_same_plan_is_the_approved_one() -> None:
    assert check_approval(order(), PLAN) == []


def test_words_and_estimates_do_not_make_another_plan() -> None:
    newer = [msgspec.structs.replace(item, summary="other words", estimate_s=7.0) for item in PLAN]
    assert check_approval(order(), newer) == []
    assert hash_plan(newer) == hash_plan(PLAN)


@pytest.mark.parametrize(
    "change",
    [{"reboot": True}, {"destroys": ["all"]}, {"changes": [Change(what="vt", before="auto", after="on")]}],
)
def test_what_an_action_does_and_costs_is_part_of_the_hash(change: dict[str, object]) -> None:
    other = [msgspec.structs.replace(PLAN[0], **change), PLAN[1]]
    assert hash_plan(other) != hash_plan(PLAN)
    (problem,) = check_approval(order(), other)
    assert problem.message.startswith("changed: set vt: approved was (vt: off -> on)")


def test_every_action_that_is_new_or_gone_is_told() -> None:
    text = said(check_approval(order(), [PLAN[0], action("numa", destroys=["the array data"])]))
    assert "not approved: set numa (numa: off -> on; destroys the array data)" in text
    assert "approved, but not to be done any more: set sriov" in text


def test_another_order_of_the_same_actions_is_another_plan() -> None:
    assert "in another order" in said(check_approval(order(), PLAN[::-1]))


def test_after_a_reboot_what_is_left_of_the_approved_plan_goes_on() -> None:
    later = order(earlier={"bios:vt": StepState.DONE}, attempt=2)
    assert check_approval(later, PLAN[1:]) == []


def test_after_a_reboot_nothing_that_was_not_approved_is_done() -> None:
    later = order(earlier={"bios:vt": StepState.DONE}, attempt=2)
    assert "not approved: set numa" in said(check_approval(later, [PLAN[1], action("numa")]))
    wider = msgspec.structs.replace(PLAN[1], destroys=["ext4 on /dev/sdc1"])
    assert "would destroy ext4 on /dev/sdc1, which the approved plan does not name" in said(
        check_approval(later, [wider])
    )


def test_a_second_attempt_of_which_nothing_was_begun_is_compared_to_the_letter() -> None:
    again = order(earlier={"plan": StepState.DONE}, attempt=2)
    assert check_approval(again, PLAN) == []
    assert check_approval(again, PLAN[1:])


def test_masked_secrets_alone_are_no_difference_but_another_hash_is_one() -> None:
    def about(text: str) -> list[ActionView]:
        return [action("vt", changes=[Change(what="password", before="s3cret", after=text)])]

    masked = [action("vt", changes=[Change(what="password", before="********", after="x")])]
    approved = Approval(plan_hash=hash_plan(about("x")), actions=masked)
    given = Order(job_id="1", approved=approved, secrets={"a": "s3cret"})
    assert check_approval(given, about("x")) == []
    assert "changed: set vt" in said(check_approval(given, about("y")))


def test_what_is_left_after_a_reboot_is_compared_as_the_server_has_it() -> None:
    plan = [action("vt"), action("disk", destroys=['ext4 "s3cret" on /dev/sdb1'])]
    masked = [plan[0], msgspec.structs.replace(plan[1], destroys=['ext4 "********" on /dev/sdb1'])]
    approved = Approval(plan_hash=hash_plan(plan), actions=masked)
    earlier = {"bios:vt": StepState.DONE}
    later = Order(job_id="1", approved=approved, earlier=earlier, attempt=2, secrets={"a": "s3cret"})
    assert check_approval(later, plan[1:]) == []
    wider = [msgspec.structs.replace(plan[1], destroys=['ext4 "s3cret" on /dev/sdc1'])]
    assert "would destroy" in said(check_approval(later, wider))


def test_without_an_approval_there_is_nothing_to_compare() -> None:
    assert check_approval(Order(job_id="1"), PLAN) == []
