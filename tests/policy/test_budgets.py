"""The budgets hold for what is recorded with them, for the image that was built, and for whatever the benchmarks
measured last on this host."""

import json
from pathlib import Path

import pytest

from bootos.errors import ProblemsError
from bootos.lab.budget import compare_budgets, read_budgets, read_figures, write_figure

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "build/image"


def is_current(image: Path) -> bool:
    """Whether the image was built after its recipe was changed last; one of before says nothing about it."""
    manifest, recipe = image / "manifest.json", ROOT / "recipes/bootos.toml"
    return manifest.is_file() and manifest.stat().st_mtime > recipe.stat().st_mtime


def test_what_is_recorded_and_every_figure_there_is_keep_their_budgets(tmp_path: Path) -> None:
    image = IMAGE if is_current(IMAGE) else tmp_path
    held = compare_budgets(
        read_budgets(ROOT / "benchmarks/budgets.toml"), read_figures(ROOT / "build/bench/figures", image)
    )
    broken = [
        f"{item.budget.title}: recorded {item.budget.recorded}"
        f"{f', here {item.figure.value:.1f}' if item.figure else ''} {item.budget.unit}, at most {item.budget.most:g}"
        for item in held
        if not item.is_kept
    ]
    assert broken == []


def test_a_figure_over_its_budget_is_found_and_so_is_a_recorded_one(tmp_path: Path) -> None:
    budgets = tmp_path / "budgets.toml"
    budgets.write_text(
        '[image_mb]\ntitle = "size"\nunit = "MB"\nmost = 1\nrecorded = 0.9\nfrom = "manifest"\n'
        '[boot_s]\ntitle = "boot"\nunit = "s"\nmost = 5\nrecorded = 4\nfrom = "boot.py"\n'
        '[memory_mib]\ntitle = "memory"\nunit = "MiB"\nmost = 512\naim = 384\nrecorded = 384\nfrom = "memory.py"\n'
        '[layer_s]\ntitle = "layer"\nunit = "s"\nmost = 3\nrecorded = 3.5\nfrom = "rebuild.py"\n'
    )
    sizes = {"vmlinuz": 400_000, "initrd.img": 700_000}
    files = [{"name": name, "size_bytes": size, "sha256": "0" * 64} for name, size in sizes.items()]
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    write_figure(tmp_path / "figures", "boot_s", [9.0])
    write_figure(tmp_path / "figures", "boot_s", [4.0, 5.0])
    held = compare_budgets(read_budgets(budgets), read_figures(tmp_path / "figures", tmp_path))
    assert [(item.name, item.is_kept) for item in held] == [
        ("image_mb", False),
        ("boot_s", True),
        ("memory_mib", True),
        ("layer_s", False),
    ]


def test_every_mistake_in_the_budgets_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "budgets.toml").write_text(
        '[image_mb]\ntitle = "size"\nunit = "MB"\nmost = "much"\nfrom = "x"\n'
    )
    with pytest.raises(ProblemsError) as caught:
        read_budgets(tmp_path / "budgets.toml")
    assert [problem.path for problem in caught.value.problems] == ["image_mb.most"]
