"""The generated pages are up to date, name all that there is, and the hand-written tables agree with the code."""

import copy
import re
from pathlib import Path

import pytest
import yaml

import kube_rendezvous
from kube_rendezvous import survival
from rendezvous_docs.__main__ import main
from rendezvous_docs.command_reference import command_reference
from rendezvous_docs.crd_reference import crd_reference
from rendezvous_docs.metrics_reference import alerts_of
from rendezvous_docs.references import CHART, DOCS, TOP, references
from rendezvous_docs.values_reference import explained

SOURCES = [TOP / "client", TOP / "operator"]
KEY = re.compile(r'"((?:[a-z0-9-]+\.)*(?:io|com|dev|sh|org)/[A-Za-z-]+|aws-node-termination-handler/[a-z-]+)"')
NO_OBJECT_KEYS = {"rendezvous.dev/v", "k8s.io/initial-events-end"}
REASON_SHOWN = re.compile(r"\breason: ([A-Z]\w+)")
REASON = re.compile(r'^[A-Z][A-Z_]* = "([A-Z][A-Za-z]+)"$', re.MULTILINE)


def code() -> str:
    return "\n".join(file.read_text() for folder in SOURCES for file in sorted(folder.rglob("*.py")))


def test_the_generated_pages_are_up_to_date_and_no_page_names_what_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_field_of_the_resources_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    crds = (TOP / "crds").glob("*.yaml")
    names = {name for crd in crds for name in re.findall(r"^\s+(\w+):$", crd.read_text(), re.MULTILINE)}
    for field in ("spec.minNodes", "spec.ranking.topologyKeys", "status.forming.waitingFor", "spec.renewTime"):
        assert f"`{field}`" in page
        assert field.rpartition(".")[2] in names


def test_each_served_version_of_a_resource_is_in_the_reference() -> None:
    crd = yaml.safe_load((TOP / "crds" / "rendezvous.yaml").read_text())
    (first, *_) = crd["spec"]["versions"]
    changed = copy.deepcopy(first["schema"])
    changed["openAPIV3Schema"]["description"] = "Another one."
    crd["spec"]["versions"] = [first, {**first, "name": "v1same"}, {**first, "name": "v1", "schema": changed}]
    page = crd_reference([crd])
    assert "## Rendezvous `rendezvous.dev/v1alpha1`" in page
    assert "`rendezvous.dev/v1same` is served too, with the same fields" in page
    assert "## Rendezvous `rendezvous.dev/v1`" in page


def test_a_reference_that_is_old_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {file: f"{text}\n" for file, text in references().items()}
    monkeypatch.setattr("rendezvous_docs.__main__.references", lambda: pages)
    assert main(["--check"]) == 1


def test_every_label_annotation_and_taint_that_the_code_names_is_in_its_reference() -> None:
    page = (DOCS / "reference" / "labels.md").read_text()
    keys = set(KEY.findall(code())) - NO_OBJECT_KEYS
    assert "rendezvous.dev/name" in keys
    assert {key for key in keys if f"`{key}`" not in page and key.partition("/")[0] != "app.kubernetes.io"} == set()


def test_every_key_of_ours_in_the_reference_is_one_that_the_code_names() -> None:
    page = (DOCS / "reference" / "labels.md").read_text()
    assert {key for key in re.findall(r"`(rendezvous\.dev/[a-z-]+)`", page) if f'"{key}"' not in code()} == set()


def test_every_reason_and_condition_is_in_its_reference() -> None:
    page = (DOCS / "reference" / "reasons.md").read_text()
    core = TOP / "operator" / "kube_rendezvous_core"
    words = {word for file in core.rglob("*.py") for word in REASON.findall(file.read_text())}
    words |= set(re.findall(r'Severity\.\w+, "([A-Z]\w+)"', code()))
    assert len(words) > 20
    assert {word for word in words if f"`{word}`" not in page} == set()


def test_every_reason_that_a_page_shows_in_an_object_is_in_the_reference() -> None:
    words = set(re.findall(r"`([A-Z][A-Za-z]+)`", (DOCS / "reference" / "reasons.md").read_text()))
    shown = {(page.name, word) for page in DOCS.rglob("*.md") for word in REASON_SHOWN.findall(page.read_text())}
    assert ("large-rounds.md", "HeartbeatLost") in shown
    assert {(page, word) for page, word in shown if word not in words} == set()


def test_every_public_name_of_the_package_is_on_the_page_of_python() -> None:
    page = (DOCS / "reference" / "python.md").read_text()
    for package in (kube_rendezvous, survival):
        for name in set(package.__all__) - {"__version__"}:
            thing = getattr(package, name)
            of_module = re.search(rf"^::: {re.escape(thing.__module__)}$", page, re.MULTILINE)
            assert of_module or re.search(rf"^::: {re.escape(thing.__module__)}\.{name}$", page, re.MULTILINE), name


def test_every_value_of_the_chart_is_in_its_reference() -> None:
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found = list(explained(text))
    assert len(found) == text.count("# -- ")
    for value in found:
        place = values
        for key in value.path.split("."):
            place = place[key]


def test_every_alert_of_the_chart_is_in_the_reference_with_what_to_do() -> None:
    rules = (CHART / "templates" / "prometheus-rule.yaml").read_text()
    found = list(alerts_of(rules))
    assert len(found) == rules.count("- alert:")
    assert all(alert.means and alert.do and alert.severity and "{{" not in alert.do for alert in found)


def test_the_page_of_the_commands_has_every_command() -> None:
    page = command_reference()
    for command in (
        "kube-rendezvous run",
        "kube-rendezvous sidecar",
        "kubectl rendezvous explain",
        "kube-rendezvous-operator",
    ):
        assert re.search(rf"^#+ {command}$", page, re.MULTILINE)


def test_every_key_of_rdzv_conf_is_in_its_reference() -> None:
    settings = (TOP / "client" / "kube_rendezvous" / "settings.py").read_text()
    page = (DOCS / "reference" / "settings.md").read_text()
    keys = set(re.findall(r'(?:params\.get|_seconds|_whole_number)\((?:params, )?"(\w+)"', settings))
    assert {"join_timeout", "slot", "create"} <= keys
    assert {key for key in keys if f"`{key}`" not in page} == set()
