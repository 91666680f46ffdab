"""`make matrix`: which cells there are, what a report says of one, and that the committed table is explained."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml

from rendezvous_docs.support_table import support_table
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import KUBE_APISERVER, kube_apiserver_of
from rendezvous_matrix import ci_slice, environments, running
from rendezvous_matrix.cells import (
    CLIENT,
    GATES,
    KOPF,
    KUBERNETES,
    NEWEST,
    PYTHON,
    PYTHONS,
    TOP,
    TORCH,
    Cell,
    all_cells,
    oldest_allowed,
)
from rendezvous_matrix.environments import EXTRAS, TESTING, find_python
from rendezvous_matrix.errors import MatrixError
from rendezvous_matrix.explanations import WHY
from rendezvous_matrix.kubernetes_pins import module_text
from rendezvous_matrix.outcomes import Colour, Outcome, Results, read_results
from rendezvous_matrix.running import read_report

REPORT = """<testsuites><testsuite>
<testcase classname="integration.test_crds" name="one"/>
<testcase classname="integration.test_crds" name="two"><failure/></testcase>
<testcase classname="integration.test_crds" name="three"><skipped/></testcase>
</testsuite></testsuites>"""
CELL = Cell(KUBERNETES, "1.31")


class TestCells:
    def test_every_kubernetes_from_1_31_to_the_one_developed_on_is_there(self) -> None:
        assert [cell.value for cell in all_cells() if cell.axis == KUBERNETES] == [f"1.{n}" for n in range(31, 38)]

    def test_what_the_newest_has_off_is_switched_on_in_one(self) -> None:
        assert [cell.name for cell in all_cells() if cell.axis == GATES] == ["feature-gates=newest"]

    def test_each_library_comes_as_old_as_pyproject_allows_and_as_new_as_there_is(self) -> None:
        for axis in (TORCH, KOPF, CLIENT):
            oldest, newest = (cell for cell in all_cells() if cell.axis == axis)
            assert oldest.requirement.endswith(f"=={oldest.value}")
            assert newest.value == NEWEST
            assert "=" not in newest.requirement

    def test_a_library_without_a_bound_is_named(self) -> None:
        with pytest.raises(ValueError, match="no lower bound of kopf"):
            oldest_allowed({"dependencies": ["kubernetes>=37.0.2"], "optional-dependencies": {}}, "kopf")


class TestKubernetes:
    @pytest.mark.parametrize("minor", [f"1.{n}" for n in range(31, 38)])
    def test_each_minor_version_is_pinned_to_a_patch_release(self, minor: str) -> None:
        assert kube_apiserver_of(minor).version.startswith(f"v{minor}.")

    def test_the_one_developed_on_is_not_pinned_twice(self) -> None:
        assert kube_apiserver_of("1.37") is KUBE_APISERVER

    def test_one_that_is_not_pinned_is_refused(self) -> None:
        with pytest.raises(LocalControlPlaneError, match=r"no Kubernetes 1\.12 is pinned"):
            kube_apiserver_of("1.12")

    def test_its_staging_modules_have_its_own_version_and_others_keep_theirs(self) -> None:
        own = "go 1.22.0\nrequire (\n\tk8s.io/api v0.0.0\n\tk8s.io/utils v0.0.0-20240711033017-18e509b52bc8\n)\n"
        text = module_text("1.31.14", own)
        assert "k8s.io/api => k8s.io/api v0.31.14" in text
        assert "k8s.io/utils =>" not in text
        assert "godebug default=go1.22" in text


class TestOutcomes:
    def test_one_failed_test_makes_a_cell_red_and_is_named(self) -> None:
        outcome = read_report(CELL, "1.31.14", REPORT)
        assert (outcome.colour, outcome.tests, outcome.skipped) == (Colour.RED, 1, 1)
        assert outcome.failed == ("integration.test_crds::two",)

    def test_a_cell_in_which_no_test_ran_is_not_green(self) -> None:
        assert read_report(CELL, "1.31.14", "<testsuites/>").colour is Colour.RED

    def test_a_later_run_replaces_only_its_own_cells_and_cells_that_are_no_more_go(self, tmp_path: Path) -> None:
        gone, kept = Cell(KUBERNETES, "1.30"), Cell(PYTHON, "3.12")
        file = tmp_path / "matrix.json"
        before = [Outcome(cell.axis, cell.value, "x", Colour.RED) for cell in (gone, CELL, kept)]
        Results(tuple(before)).write(file)
        new = Outcome(CELL.axis, CELL.value, "1.31.14", Colour.GREEN, 9, commit="abc1234", date="2026-02-02")
        results = read_results(file).updated([new], [CELL, kept])
        results.write(file)
        assert read_results(file) == Results((new, before[2]))

    def test_a_python_that_is_not_there_is_said(self) -> None:
        with pytest.raises(MatrixError, match=r"no python2\.0 on the PATH"):
            find_python("2.0")


class TestEnvironments:
    def test_the_newest_that_is_installed_here_anyway_needs_no_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        have = version("kopf")
        monkeypatch.setattr(environments, "_uv", lambda *_, **__: f"kopf=={have}\n")
        assert environments.interpreter_of(Cell(KOPF, NEWEST)) == Path(sys.executable)

    def test_a_newer_one_gets_an_environment_that_is_named_by_its_version(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        asked = []
        monkeypatch.setattr(environments, "_uv", lambda *_, **__: "kopf==9999.1\n")
        monkeypatch.setattr(environments, "_environment", lambda *given, **_: asked.append(given[1:]) or tmp_path)
        assert environments.interpreter_of(Cell(KOPF, NEWEST)) == tmp_path
        assert asked == [(["kopf==9999.1"], "kopf==9999.1")]

    def test_cells_on_the_same_ground_are_run_once(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        ran = []

        def run_on(ground: running.Ground, cell: Cell, version: str, *_: object) -> Outcome:
            ran.append(ground)
            return Outcome(cell.axis, cell.value, version, Colour.GREEN, 9)

        monkeypatch.setattr(running, "_run_on", run_on)
        monkeypatch.setattr(running, "find_or_build", lambda program: tmp_path / program.version)
        monkeypatch.setattr(running, "interpreter_of", lambda _: Path(sys.executable))
        known: dict[running.Ground, Outcome] = {}
        cells = [Cell(KUBERNETES, "1.37"), Cell(PYTHON, "3.11"), Cell(KUBERNETES, "1.31")]
        outcomes = [running.run(cell, tmp_path / "log", known=known) for cell in cells]
        assert [(one.cell, one.tests) for one in outcomes] == [(cell, 9) for cell in cells]
        assert len({one.version for one in outcomes}) == 3
        assert len(ran) == 2

    def test_another_python_gets_all_that_the_integration_tests_import(self) -> None:
        """pytest imports every test file before it chooses the core: one that is missing makes the cell red."""
        project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
        extras = [one for extra in EXTRAS for one in project["optional-dependencies"][extra]]
        had = {re.split(r"[^\w-]", one, maxsplit=1)[0] for one in [*project["dependencies"], *extras, *TESTING]}
        brought = {"pyyaml", "urllib3", "numpy"}  # by these
        distributions = packages_distributions()
        files = [
            file
            for folder in (TOP / "tests" / "integration", TOP / "deploy" / "development")
            for file in folder.rglob("*.py")
            if file.parent.name not in ("trainers", "rendezvous_docs")  # programs of their own; the site's
        ]
        lacking = {
            (module, distribution)
            for module in {module for file in files for module in _imported(file)}
            for distribution in distributions.get(module, ())
            if distribution.lower().replace("_", "-") not in had | brought | {"kube-rendezvous", "jax"}
        }
        assert lacking == set()


def _imported(file: Path) -> Iterator[str]:
    """Top-level packages that are imported when ``file`` is."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


class TestTheSlice:
    def test_its_files_are_there_and_belong_to_the_core(self) -> None:
        for file in ci_slice.TESTS:
            assert "pytest.mark.core" in (TOP / file).read_text(), file

    def test_ci_runs_it(self) -> None:
        assert "make matrix-slice" in (TOP / ".ci" / "run").read_text()

    def test_it_is_left_out_where_that_api_server_was_never_built(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("KUBE_RENDEZVOUS_CACHE", str(tmp_path))
        assert ci_slice.main() == 0
        assert "make matrix CELLS=kubernetes=1.31" in capsys.readouterr().err


class TestTheBounds:
    """What is promised is what was run: each bound names a version whose cell is green, or was not run yet."""

    def test_the_chart_asks_for_the_oldest_kubernetes_of_the_matrix_and_that_is_green(self) -> None:
        chart = yaml.safe_load((TOP / "deploy" / "helm" / "kube-rendezvous" / "Chart.yaml").read_text())
        oldest = next(cell for cell in all_cells() if cell.axis == KUBERNETES)
        assert chart["kubeVersion"] == f">={oldest.value}.0-0"
        assert {one.cell: one.colour for one in read_results().outcomes}[oldest] is Colour.GREEN

    def test_the_package_asks_for_the_oldest_python_of_the_matrix_and_names_those_that_were_run(self) -> None:
        project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
        assert project["requires-python"] == f">={PYTHONS[0]}"
        named = {line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line}
        green = {one.value for one in read_results().outcomes if (one.axis, one.colour) == (PYTHON, Colour.GREEN)}
        assert named == {PYTHONS[0], *green}, "3.11 is what everything is developed with"


class TestTheTable:
    def test_it_has_a_row_for_each_cell_also_for_those_that_were_not_run(self) -> None:
        page = support_table(Results(), [CELL])
        assert "| Kubernetes | 1.31 |  | not run |  |  |  | not run yet |" in page

    def test_each_row_says_at_which_commit_and_on_which_day_it_was_run(self) -> None:
        new = Outcome(CELL.axis, CELL.value, "1.31.14", Colour.GREEN, 9, commit="abc1234", date="2026-02-02")
        page = support_table(Results((new,)), [CELL])
        assert "| Kubernetes | 1.31 | 1.31.14 | passed | 9 | abc1234 | 2026-02-02 |  |" in page

    def test_each_red_cell_is_explained_and_no_green_one(self) -> None:
        outcomes = {outcome.cell: outcome for outcome in read_results().outcomes}
        assert [cell.name for cell, one in outcomes.items() if one.colour is Colour.RED and cell not in WHY] == []
        assert [cell.name for cell in WHY if cell in outcomes and outcomes[cell].colour is Colour.GREEN] == []

    def test_it_has_no_red_cell_within_the_bounds_of_pyproject(self) -> None:
        assert [one.cell.name for one in read_results().outcomes if one.colour is Colour.RED] == []


def test_a_layer_runs_our_programs_with_its_own_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, layer = tmp_path / "ours", tmp_path / "layer"
    for folder in (ours, layer):
        folder.mkdir()
    (ours / "torchrun").write_text(f"#!{ours}/python\nmain()\n")
    (ours / "uv").write_bytes(b"\x7fELF")
    (layer / "pytest").write_text("its own")
    (ours / "pytest").write_text(f"#!{ours}/python\nours\n")
    monkeypatch.setattr("sys.executable", str(ours / "python"))
    environments._lend_programs(layer)
    assert (layer / "torchrun").read_text() == f"#!{layer}/python\nmain()\n"
    assert (layer / "pytest").read_text() == "its own"
    assert sorted(file.name for file in layer.iterdir()) == ["pytest", "torchrun"]
