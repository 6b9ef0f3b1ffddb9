"""What a file of an operator may be besides a document."""

from pathlib import Path

import pytest

from bootos.document import read_document
from bootos.errors import BootosError


def test_a_document_is_read_as_utf_8_and_another_encoding_is_said(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes("name: café".encode())
    assert read_document(file) == {"name": "café"}
    file.write_bytes("name: café".encode("latin-1"))
    with pytest.raises(BootosError, match="is no text in UTF-8") as caught:
        read_document(file)
    assert caught.value.hint == "store it in UTF-8"
