"""The bytes of an archive follow from what is in it, and from nothing else."""

import io
import os
import tarfile
from pathlib import Path

from rendezvous_release.archives import Entry, entries_below, entries_of, tar_gz

ENTRIES = [Entry("b/two", b"2"), Entry("a", b"1", executable=True)]


def test_the_order_in_which_files_are_found_does_not_matter() -> None:
    assert tar_gz(ENTRIES, 1000) == tar_gz(list(reversed(ENTRIES)), 1000)


def test_files_have_the_given_time_no_owner_and_plain_rights() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_gz(ENTRIES, 1000))) as archive:
        found = {info.name: (info.mtime, info.mode, info.uid, info.uname) for info in archive}
    assert found == {"a": (1000, 0o755, 0, ""), "b/two": (1000, 0o644, 0, "")}


def test_an_archive_can_be_read_back_and_written_anew() -> None:
    packed = tar_gz(ENTRIES, 1000)
    assert tar_gz(entries_of(packed), 1000) == packed


def test_a_folder_is_packed_without_its_own_times_and_links(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "a").chmod(0o700)
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.utime(tmp_path / "a", (5, 5))
    assert tar_gz(entries_below(tmp_path), 1000) == tar_gz(ENTRIES, 1000)
