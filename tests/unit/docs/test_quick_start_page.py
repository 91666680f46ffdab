"""What the e2e test reads out of docs/quick-start.md is all that a reader would type."""

from pathlib import Path

import pytest

from e2e.quick_start import PAGE, TOP, commands, for_this_cluster, name_images


def test_every_shell_block_is_read() -> None:
    page = PAGE.read_text()
    found = list(commands(page, first_step=1))
    for start in (
        "make image",
        "helm install",
        "helm test",
        "kubectl apply -k",
        "kubectl delete pod",
        "helm uninstall",
    ):
        assert any(command.startswith(start) for command in found), start
    assert not any(command.startswith("make") for command in commands(page, first_step=2))


def test_the_page_for_who_has_a_release_needs_no_checkout() -> None:
    found = list(commands((TOP / "docs" / "from-a-release.md").read_text(), first_step=1))
    for start in ("openssl", "sha256sum", "helm install", "kubectl apply -k", "tools/bin/kubectl-rendezvous doctor"):
        assert any(command.startswith(start) for command in found), start
    assert [command for command in found if command.startswith("make") or "deploy/" in command] == []


def test_a_command_over_two_lines_is_one() -> None:
    page = "## 1. A\n```sh\nhelm install x \\\n  --wait\nkubectl get y\n```\n```console\n$ no command\n```\n"
    assert list(commands(page, first_step=1)) == ["helm install x --wait", "kubectl get y"]


def test_the_readers_registry_is_put_in() -> None:
    (install,) = (line for line in commands(PAGE.read_text(), 2) if line.startswith("helm install"))
    line = for_this_cluster(install, "host:5000/ours/operator:7")
    assert "image.repository=host:5000/ours/operator " in line
    assert "image.tag=7 " in line
    assert "REGISTRY" not in line


def test_the_example_can_be_told_other_images(tmp_path: Path) -> None:
    copy = tmp_path / "kustomization.yaml"
    copy.write_text((TOP / "deploy" / "examples" / "torchrun-job" / "kustomization.yaml").read_text())
    name_images(copy, {"trainer": "ours/trainer:7"})
    assert "newName: ours/trainer " in copy.read_text()
    assert 'newTag: "7"' in copy.read_text(), "without quotes it is a number, which is no tag"
    with pytest.raises(ValueError, match="0 images client"):
        name_images(copy, {"client": "ours/client:7"})
