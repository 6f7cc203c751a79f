"""Files at Replicate: what the vendor answers that is no file is an answer that cannot be read, whatever it is."""

import pytest

from unigate.base.errors import BadAnswer
from unigate.relay.replicate_files import _file


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": ""}', b'{"id": 7}', b"\xff", b'{"a":' * 100_000])
def test_what_is_no_file_cannot_be_read(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        _file(body)
