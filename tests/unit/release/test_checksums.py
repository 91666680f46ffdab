"""What is said about a release is said of every artifact, and of nothing else."""

import hashlib
import json
from pathlib import Path

from rendezvous_release.checkout import Source
from rendezvous_release.checksums import digests, statement, sums

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
