"""The notices name every package and hold the text of its licence; the SBOM names no folder of the builder."""

from rendezvous_release.software import Package, notices, without_places

KOPF = Package("kopf", "1.45.2", "MIT", {"kopf.dist-info/LICENSE": "Permission is hereby granted …"})
OURS = Package("kube-rendezvous", "0.1.0", "Apache-2.0", {})


def test_every_package_but_our_own_is_named_with_its_licence_and_its_text() -> None:
    text = notices([KOPF, OURS], "kube-rendezvous")
    assert "kopf 1.45.2: MIT\n" in text
    assert "Permission is hereby granted" in text
    assert "kube-rendezvous 0.1.0" not in text


def test_a_package_that_names_no_licence_points_to_its_text() -> None:
    assert "it 1: see below\n" in notices([Package("it", "1", "", {})], "kube-rendezvous")


def test_a_reference_to_a_file_of_the_builder_is_left_out() -> None:
    document = {"components": [{"externalReferences": [{"url": "file:///tmp/x"}, {"url": "https://example.org"}]}]}
    assert without_places(document) == {"components": [{"externalReferences": [{"url": "https://example.org"}]}]}
