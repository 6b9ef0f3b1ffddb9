"""What storcli answers when one object has failed, or when the answer is damaged."""

import json
import random
from typing import Any

import msgspec
import pytest
from mutationsubject import JSON_SEEDS
from raidsubject import STORCLI, read_storcli
from toolanswers import read_golden


def refuse(text: str, words: str, place: str) -> str:
    """The answer with the status that the tool gives when one drive or array has failed, and all its data."""
    whole = json.loads(text, strict=False)
    key = {"s": "Drive", "v": "VD"}.get(place.rpartition("/")[2][:1], "Ctrl")
    row = {key: place, "Status": "Failure", "ErrCd": 46, "ErrMsg": "-"}
    whole["Controllers"][0]["Command Status"] |= {
        "Status": "Failure",
        "Description": words,
        "Detailed Status": [row],
    }
    return json.dumps(whole)


REFUSALS = [
    (0, "0", "None"),
    (1, "/c0/v199", "Show Virtual Drive Information Failed."),
    (2, "/c0/e250/s99", "Show Drive Information Failed."),
]


def read_answers(names: tuple[str, str, str]) -> list[str]:
    return [read_golden(f"raid.megaraid/{name}.json") if name else "" for name in names]


def holds_data(answer: str) -> bool:
    return bool(json.loads(answer or "{}").get("Controllers", [{}])[0].get("Response Data"))


@pytest.mark.parametrize(
    ("names", "refusal"),
    [
        pytest.param(names, refusal, id=f"{names[0]}-{refusal[1]}")
        for names in STORCLI
        for refusal in REFUSALS
        if holds_data(read_answers(names)[refusal[0]])  # of the others no answer of this kind was published
    ],
)
def test_one_object_with_an_error_takes_nothing_else_away(
    names: tuple[str, str, str], refusal: tuple[int, str, str]
) -> None:
    part, place, words = refusal
    texts = read_answers(names)
    before, cards = read_storcli(*texts)
    texts[part] = refuse(texts[part], words, place)
    after, refused = read_storcli(*texts)
    lost = [drive.id for card in after for drive in card.drives if drive.id == "250:99"]
    assert lost == (["250:99"] if part == 2 else [])
    for card in after:
        card.drives = [drive for drive in card.drives if drive.id != "250:99"]
    assert msgspec.to_builtins(after) == msgspec.to_builtins(before)
    more = [remark for card in refused for remark in card.remarks if remark not in cards[0].remarks]
    # an overview has one status for all its controllers
    assert {remark.part for remark in more} == (set() if part == 1 and not before[0].driver else {""})


def damage(value: Any, chance: random.Random) -> Any:
    """The same JSON with some of it being something else."""
    if chance.random() < 0.02:
        return chance.choice((None, [], {}, "x", 3, [1], "-"))
    if isinstance(value, dict):
        return {key: damage(entry, chance) for key, entry in value.items()}
    return [damage(entry, chance) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("names", STORCLI, ids=[names[0] for names in STORCLI])
def test_an_answer_that_is_damaged_anywhere_is_read_or_is_no_answer(names: tuple[str, str, str]) -> None:
    whole = [
        json.loads(read_golden(f"raid.megaraid/{name}.json"), strict=False) if name else None
        for name in names
    ]
    read = refused = 0
    for seed in JSON_SEEDS:
        chance = random.Random(seed)
        texts = [json.dumps(damage(answer, chance)) if answer is not None else "" for answer in whole]
        try:
            read_storcli(*texts)
            read += 1
        except ValueError:  # what notes and drivers tell
            refused += 1
    assert read + refused == len(JSON_SEEDS) and read > len(JSON_SEEDS) // 2
