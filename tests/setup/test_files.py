"""The first files: whole, private, and what was there is kept."""

from datetime import UTC, datetime
from pathlib import Path

from newsletter.setup.files import PRIVATE, Planned, write

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_replaced_twice_within_a_second_each_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.toml"
    kept = []
    for content in (b"first", b"second", b"third"):
        kept += [old for _path, old in write([Planned(path, content)], NOW) if old]
    assert [one.read_bytes() for one in kept] == [b"first", b"second"]
    assert path.read_bytes() == b"third"
    assert {one.stat().st_mode & 0o777 for one in (path, *kept)} == {PRIVATE}
