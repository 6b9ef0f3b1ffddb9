from pathlib import Path

import pytest

from bootos.document import read_document
from bootos.template.check import read_template

EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples").glob("*.yaml"))
DEMO = Path(__file__).parents[3] / "src/bootos/lab/demo/files/template.yaml"


@pytest.mark.parametrize("path", [*EXAMPLES, DEMO], ids=lambda path: path.name)
def test_every_example_is_a_template_without_a_mistake(path: Path) -> None:
    template, problems = read_template(read_document(path))
    assert template is not None
    assert problems == []
