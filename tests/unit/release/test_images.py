"""The parts of an image that is put together without running it: files, layers, what would not run, the layout."""

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.attached import CYCLONEDX, SIMPLE_SIGNING, attestations, signature, tag_of
from rendezvous_release.images.layout import INDEX, Layer, Layout, Process, digest_of
from rendezvous_release.images.linkage import faults
from rendezvous_release.images.platforms import AMD64, ARM64
from rendezvous_release.images.system_packages import SystemPackage, mirrors
from rendezvous_release.images.system_tree import merged
from rendezvous_release.images.tree import Node, layer, write_below
from rendezvous_release.registry import Registry
from rendezvous_release.signing import SigningKey

EM_AARCH64 = 183
PROCESS = Process(["it"], {"A": "b"}, ["8080/tcp"], {})


@pytest.fixture
def key() -> SigningKey:
    return SigningKey(ec.generate_private_key(ec.SECP256R1()))


def elf_for(machine: int) -> bytes:
    """The head of a 64-bit little-endian program without segments."""
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)


class TestTrees:
    def test_the_same_files_in_another_order_give_the_same_layer(self) -> None:
        one, other = Node(b"one", mode=0o755), Node(link="/usr/bin/it")
        assert layer({"a/b": one, "c": other}, 7) == layer({"c": other, "a/b": one}, 7)

    def test_a_layer_has_the_folders_and_the_time_of_the_commit_and_belongs_to_root(self) -> None:
        raw, packed = layer({"a/b/c": Node(b"x")}, 1234)
        assert gzip.decompress(packed) == raw
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            members = archive.getmembers()
        assert [member.name for member in members] == ["a", "a/b", "a/b/c"]
        assert {(member.mtime, member.uid, member.gid) for member in members} == {(1234, 0, 0)}

    def test_unpacked_below_a_folder_its_links_stay_inside(self, tmp_path: Path) -> None:
        write_below({"bin/it": Node(link="/usr/it"), "usr/it": Node(b"me")}, tmp_path)
        assert (tmp_path / "bin" / "it").read_bytes() == b"me"

    @pytest.mark.parametrize(
        ("path", "place"), [("lib/x", "usr/lib/x"), ("bin/x", "usr/bin/x"), ("lib", "lib"), ("etc/lib/x", "etc/lib/x")]
    )
    def test_what_a_package_has_in_lib_lies_in_usr_lib(self, path: str, place: str) -> None:
        assert merged(path) == place


class TestWhatWouldNotRun:
    def test_a_program_for_another_processor_is_named(self) -> None:
        tree = {"usr/bin/it": Node(elf_for(EM_AARCH64))}
        assert list(faults(tree, ARM64)) == []
        assert list(faults(tree, AMD64)) == ["usr/bin/it is for EM_AARCH64, not for EM_X86_64"]

    def test_a_library_that_is_not_there_is_named(self) -> None:
        real = Path("/proc/self/exe").resolve().read_bytes()
        needs = [fault for fault in faults({"usr/bin/python3": Node(real)}, AMD64) if "needs" in fault]
        assert any("libc.so.6, which is not there" in fault for fault in needs)

    def test_text_is_not_looked_into(self) -> None:
        assert list(faults({"a": Node(b"#!/bin/sh\n")}, ARM64)) == []


class TestLayouts:
    def test_the_index_names_the_image_of_each_processor_and_every_blob_is_under_its_digest(self) -> None:
        layout = Layout()
        layers = [Layer(digest_of(b"raw"), b"packed")]
        images = [layout.add_image(one, layers, PROCESS, 0) for one in (AMD64, ARM64)]
        layout.finish(images, {}, "kube-rendezvous/it", "1.0.0")
        index = json.loads(layout.blobs[layout.digest])
        assert index["mediaType"] == INDEX
        assert [one["platform"] for one in index["manifests"]] == [
            {"architecture": "amd64", "os": "linux"},
            {"architecture": "arm64", "os": "linux", "variant": "v8"},
        ]
        assert all(digest_of(content) == digest for digest, content in layout.blobs.items())

    def test_an_image_runs_as_nobody(self) -> None:
        layout = Layout()
        image = layout.add_image(AMD64, [], PROCESS, 0)
        config = json.loads(layout.blobs[json.loads(layout.blobs[image["digest"]])["config"]["digest"]])
        assert config["config"]["User"] == "65532:65532"
        assert config["config"]["Env"] == ["A=b"]


class TestSignatures:
    def test_a_signature_names_the_digest_and_lies_where_cosign_looks(self, key: SigningKey) -> None:
        layout = signature("sha256:abc", "registry/it", key)
        (one,) = json.loads(layout.blobs[layout.digest])["layers"]
        said = json.loads(layout.blobs[one["digest"]])
        assert one["mediaType"] == SIMPLE_SIGNING
        assert said["critical"]["image"]["docker-manifest-digest"] == "sha256:abc"
        assert tag_of("sha256:abc", "sig") == "sha256-abc.sig"

    def test_each_attestation_says_of_what_kind_it_is(self, key: SigningKey) -> None:
        layout = attestations("sha256:abc", "registry/it", {CYCLONEDX: {"a": 1}}, key)
        (one,) = json.loads(layout.blobs[layout.digest])["layers"]
        assert one["annotations"]["predicateType"] == CYCLONEDX


def test_a_package_is_named_in_the_bill_as_its_rules_say() -> None:
    package = SystemPackage("libstdc++6", "1:14.2.0-19+b1", "arm64", Path("x.deb"))
    assert package.purl == "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19%2Bb1?arch=arm64&distro=trixie"


class TestPlaces:
    def test_a_target_that_is_no_registry_is_refused(self) -> None:
        with pytest.raises(ReleaseError, match="oci://REGISTRY"):
            Registry("https://example.org/charts")

    def test_a_machine_that_is_no_debian_has_to_name_a_mirror(self, tmp_path: Path) -> None:
        with pytest.raises(ReleaseError, match="--debian-mirror"):
            mirrors("", tmp_path)
        assert mirrors("https://example.org/debian", tmp_path).security == "https://example.org/debian-security"

    def test_another_distribution_has_to_name_a_mirror_too(self, tmp_path: Path) -> None:
        (tmp_path / "sources.list").write_text("deb http://a.example/ubuntu noble main")
        with pytest.raises(ReleaseError, match="packages of noble, no Debian"):
            mirrors("", tmp_path)

    def test_security_fixes_come_from_where_this_machine_gets_them(self, tmp_path: Path) -> None:
        lines = ["deb http://a.example/debian bookworm main", "deb http://b.example/fixes bookworm-security main"]
        (tmp_path / "sources.list").write_text("\n".join(lines))
        assert mirrors("", tmp_path).security == "http://b.example/fixes"
