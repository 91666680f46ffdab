"""What is said about a release is said of every artifact, and of nothing else."""

import hashlib
import json
from pathlib import Path

import pytest

from rendezvous_release.__main__ import main
from rendezvous_release.checkout import Source
from rendezvous_release.checksums import different, digests, statement, sums

SOURCE = Source(Path("/nowhere"), "c0ffee", 1000, "0.2.0")


def test_sums_are_of_the_artifacts_and_not_of_what_tells_about_them(tmp_path: Path) -> None:
    for name in ("b.tgz", "a.whl", "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.pub", "provenance.dsse.json"):
        (tmp_path / name).write_text(name)
    found = digests(tmp_path)
    assert sums(found) == "".join(
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a.whl", "b.tgz")
    )


def test_the_provenance_names_every_artifact_the_commit_and_the_builder() -> None:
    said = json.loads(statement({"a.whl": "12"}, SOURCE, "urn:builder"))
    assert said["subject"] == [{"name": "a.whl", "digest": {"sha256": "12"}}]
    assert said["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": "c0ffee"}
    assert said["predicate"]["runDetails"]["builder"]["id"] == "urn:builder"


def test_two_releases_differ_in_what_was_changed_what_came_and_what_went() -> None:
    first, second = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}
    assert different(sums(first), sums(first)) == []
    assert different(sums(first), sums(second)) == ["b", "c", "d"]


def test_to_be_the_same_as_nothing_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--version", "0.2.0", "--no-images", "--output", str(tmp_path), "--same-as", str(tmp_path)]) == 2
    assert "there is no SHA256SUMS" in capsys.readouterr().err
