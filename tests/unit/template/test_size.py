from fractions import Fraction

import pytest

from bootos.template.size import Size, SizeRange, format_size, parse_bytes, parse_range, parse_size

GIB, TB = 1024**3, 1000**4


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512MiB", 512 * 1024**2),
        ("1 GiB", GIB),
        ("480GB", 480 * 1000**3),
        ("1.5TB", 3 * TB // 2),
        ("2tib", 2 * 1024**4),
        ("4096B", 4096),
    ],
)
def test_sizes_of_1000_and_of_1024_are_exact(text: str, size_bytes: int) -> None:
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10", "has no unit"),
        ("10G", "ambiguous"),
        ("10 potatoes", "unknown unit"),
        ("", "is not a size"),
        ("-5GB", "is not a size"),
        ("0GiB", "not more than zero"),
        ("0%", "between 0% and 100%"),
        ("101%", "between 0% and 100%"),
    ],
)
def test_says_what_is_wrong_with_a_size(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_size(text)


def test_a_size_may_be_a_share_or_the_rest() -> None:
    assert parse_size("30%") == Size(share=Fraction(3, 10))
    assert parse_size("rest") == Size(rest=True)
    assert parse_size("12.5%").of(8 * GIB) == GIB
    assert parse_size("rest").of(GIB) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1TB", [TB, 2 * TB], [TB - 1]),
        (">1TB", [TB + 1], [TB]),
        ("<2TiB", [TB, 2 * 1024**4 - 1], [2 * 1024**4]),
        ("<= 1TB", [TB], [TB + 1]),
        ("400GB-500GB", [400 * 1000**3, 480 * 1000**3], [399 * 1000**3, 501 * 1000**3]),
        ("480GB", [480_103_981_056, 470 * 1000**3], [400 * 1000**3, 512 * 1000**3]),
    ],
)
def test_a_range_holds_what_it_says(text: str, inside: list[int], outside: list[int]) -> None:
    wanted = parse_range(text)
    assert all(wanted.holds(size) for size in inside)
    assert not any(wanted.holds(size) for size in outside)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        parse_range("500GB-400GB")


def test_an_open_range_holds_everything() -> None:
    assert SizeRange().holds(1)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(GIB, "1 GiB"), (480_103_981_056, "480.1 GB"), (300 * 1024**2, "300 MiB"), (17, "17 B")],
)
def test_sizes_are_told_in_the_unit_that_fits(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
