"""`make torch-tests`: which files it takes, and what it makes of the names of runs."""

from pathlib import Path

import pytest

from torch_tests.not_applicable import reason, repetitions
from torch_tests.plugin_names import TEST
from torch_tests.redirection import run_name
from torch_tests.sources import NoSourceError, obtain

EXAMPLE = "elastic/rendezvous/out_of_tree_test_package"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as is looked at."""
    top = tmp_path / "checkout"
    for file, text in {
        "elastic/rendezvous/api_test.py": "",
        "launcher/test_run.py": "",
        f"{EXAMPLE}/src/testbackend/__init__.py": "",
        f"{EXAMPLE}/pyproject.toml": "[project.entry-points.'torchrun.handlers']\ntestbackend = 'testbackend:handler'",
    }.items():
        path = top / "test/distributed" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


def test_a_checkout_that_is_given_is_copied_and_not_written_to(checkout: Path, tmp_path: Path) -> None:
    before = sorted(checkout.rglob("*"))
    found = obtain(str(checkout), "2.15.0+cu130", tmp_path / "cache", tmp_path)
    assert [file.relative_to(found.folder).as_posix() for file in found.files()] == [
        "elastic/rendezvous/api_test.py",
        "launcher/test_run.py",
    ]
    assert sorted(checkout.rglob("*")) == before


def test_the_example_of_a_foreign_backend_gets_the_metadata_of_an_installation(checkout: Path, tmp_path: Path) -> None:
    folder = obtain(str(checkout), "2.15.0", tmp_path / "cache", tmp_path).folder
    (entry_points,) = (folder / EXAMPLE).rglob("entry_points.txt")
    assert entry_points.read_text() == "[torchrun.handlers]\ntestbackend = testbackend:handler\n"


def test_a_folder_that_is_no_checkout_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NoSourceError, match=f"{tmp_path} is no checkout of PyTorch"):
        obtain(str(tmp_path), "2.15.0", tmp_path / "cache", tmp_path)


@pytest.mark.parametrize(
    ("run_id", "name"),
    [("3fa85f64", "3fa85f64"), ("none", "test-7-none"), ("dummy_run_id", "test-7-dummy-run-id"), ("", "test-7")],
)
def test_a_run_id_that_cannot_name_an_object_of_one_test_becomes_one_that_can(
    monkeypatch: pytest.MonkeyPatch, run_id: str, name: str
) -> None:
    monkeypatch.setenv(TEST, "7")
    assert run_name(run_id) == name


def test_what_does_not_apply_has_a_reason() -> None:
    file = "elastic/rendezvous/dynamic_rendezvous_test.py"
    assert reason(file, "IntegrationTest.test_redundancy_list")
    assert reason(file, "IntegrationTest.test_all_nodes_join_rendezvous") is None


def test_a_test_that_differs_in_the_backend_alone_is_not_run_again() -> None:
    tests = ["test_sum_c10d", "test_sum_etcd", "test_sum_etcd_v2", "test_rank_etcd", "test_rank_etcd_v2", "test_other"]
    assert repetitions(tests) == {
        "test_sum_etcd": "test_sum_c10d",
        "test_sum_etcd_v2": "test_sum_c10d",
        "test_rank_etcd_v2": "test_rank_etcd",
    }
