"""A boot loader that has come to a standstill is known by what its machine says and by what its card moves."""

from bootos.lab.loadwatch import LOOK_EVERY_S, MOVES_BYTES, RESETS_MAX, STANDSTILL_S, LoadWatch

LOADS = "Loading http://10.0.2.2:8083/bootos/initrd.img..."


def look(
    watch: LoadWatch, words: str, *, per_look_bytes: int, for_s: float, from_s: float = 0.0
) -> list[float]:
    """When the watch wanted a reset, while the card moved so much between two looks."""
    moments = [from_s + n * LOOK_EVERY_S for n in range(int(for_s / LOOK_EVERY_S) + 1)]
    return [at for n, at in enumerate(moments) if watch.look(at, words, 1000 + n * per_look_bytes)]


def test_a_loader_whose_card_moves_nothing_is_reset_once_a_minute_has_passed() -> None:
    assert look(LoadWatch(), LOADS, per_look_bytes=300, for_s=STANDSTILL_S + LOOK_EVERY_S) == [STANDSTILL_S]


def test_a_card_that_loads_slowly_is_left_alone() -> None:
    assert look(LoadWatch(), LOADS, per_look_bytes=MOVES_BYTES // 3, for_s=900) == []


def test_a_machine_that_waits_for_another_reason_is_left_alone() -> None:
    for words in (
        "bootos: waiting for an order",
        "Loading http://10.0.2.2/bootos/vmlinuz... ok",
        "boot:",
        "",
    ):
        assert look(LoadWatch(), words, per_look_bytes=0, for_s=900) == [], words


def test_a_loader_that_went_on_has_its_minute_again() -> None:
    watch = LoadWatch()
    assert look(watch, LOADS, per_look_bytes=0, for_s=STANDSTILL_S - LOOK_EVERY_S) == []
    assert not watch.look(STANDSTILL_S, "Probing EDD (edd=off to disable)... ok", 1000)
    assert not watch.look(STANDSTILL_S + LOOK_EVERY_S, LOADS, 1000)


def test_a_machine_that_never_loads_is_not_reset_for_ever() -> None:
    assert len(look(LoadWatch(), LOADS, per_look_bytes=0, for_s=100 * STANDSTILL_S)) == RESETS_MAX
