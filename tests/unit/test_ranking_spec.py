"""`spec.ranking` is read and written, and its label selectors select as those of Kubernetes do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import (
    LabelSelector,
    Operator,
    Ranking,
    RendezvousSpec,
    RendezvousStatus,
    Requirement,
    parse_rendezvous,
    spec_to_json,
    status_to_json,
)
from kube_rendezvous.resources.ranking_spec import parse_ranking, ranking_to_json
from kube_rendezvous.resources.topology_presets import TOPOLOGY_PRESETS


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ({}, {}, True),
        ({"matchLabels": {"spot": "yes"}}, {"spot": "yes", "zone": "a"}, True),
        ({"matchLabels": {"spot": "yes"}}, {"spot": "no"}, False),
        ({"matchLabels": {"spot": "yes"}}, {}, False),
        ({"matchLabels": {"spot": "yes", "zone": "a"}}, {"spot": "yes"}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}, {"zone": "b"}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}, {"zone": "c"}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}, {}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, {"zone": "b"}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, {"zone": "a"}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "spot", "operator": "Exists"}]}, {"spot": ""}, True),
        ({"matchExpressions": [{"key": "spot", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "spot", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "spot", "operator": "DoesNotExist"}]}, {"spot": ""}, False),
        (
            {"matchLabels": {"spot": "yes"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]},
            {"spot": "yes"},
            False,
        ),
    ],
)
def test_a_label_selector_selects_as_in_kubernetes(
    selector: dict[str, Any], labels: dict[str, str], matches: bool
) -> None:
    read = parse_ranking({"rankZero": {"avoid": selector}}).rank_zero_avoid
    assert read is not None
    assert read.matches(labels) is matches


KEYS = st.sampled_from(["zone", "example.com/rack", "spot"])
SELECTORS = st.builds(
    LabelSelector,
    st.dictionaries(KEYS, st.sampled_from(["", "a"])).map(lambda labels: tuple(sorted(labels.items()))),
    st.lists(
        st.builds(Requirement, KEYS, st.sampled_from([Operator.IN, Operator.NOT_IN]), st.just(("a", "b")))
        | st.builds(Requirement, KEYS, st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])),
        max_size=2,
    ).map(tuple),
)
RANKINGS = st.builds(Ranking, st.lists(KEYS, unique=True).map(tuple), st.none() | SELECTORS, st.none() | SELECTORS)


@given(RANKINGS)
def test_what_is_written_as_ranking_is_read_back_equal(ranking: Ranking) -> None:
    assert parse_ranking(ranking_to_json(ranking)) == ranking
    assert _read(spec_to_json(RendezvousSpec(2, 2, ranking=ranking)), {}).spec.ranking == ranking


@pytest.mark.parametrize("preset", TOPOLOGY_PRESETS)
def test_a_preset_stands_for_its_labels_and_is_written_by_its_name(preset: str) -> None:
    read = parse_ranking({"preset": preset})
    assert read.topology_keys == TOPOLOGY_PRESETS[preset]
    assert ranking_to_json(read) == {"preset": preset}


def test_the_resource_definition_offers_these_presets() -> None:
    definition = yaml.safe_load((Path(__file__).parents[2] / "crds" / "rendezvous.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert schema["spec"]["properties"]["ranking"]["properties"]["preset"]["enum"] == list(TOPOLOGY_PRESETS)


@pytest.mark.parametrize("preset", TOPOLOGY_PRESETS)
def test_a_domain_of_the_longest_values_fits_into_the_status(preset: str) -> None:
    assert 64 * len(TOPOLOGY_PRESETS[preset]) - 1 <= 511


def test_a_preset_of_a_later_version_is_no_topology() -> None:
    assert parse_ranking({"preset": "Later"}).topology_keys == ()


def test_a_spec_without_ranking_is_written_without_it() -> None:
    assert "ranking" not in spec_to_json(RendezvousSpec(2, 2))
    assert _read({"minNodes": 2}, {}).spec.ranking == Ranking()


def test_domains_are_written_only_if_there_are_any() -> None:
    assert "domains" not in status_to_json(RendezvousStatus(ranks=("a",)))
    status = RendezvousStatus(ranks=("a", "b"), domains=("zone-a/rack-1", ""))
    assert _read({"minNodes": 2}, status_to_json(status)).status == status


def test_an_operator_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="Near"):
        parse_ranking({"rankZero": {"prefer": {"matchExpressions": [{"key": "zone", "operator": "Near"}]}}})


def _read(spec: dict[str, Any], status: dict[str, Any]) -> Any:
    metadata = {"namespace": "ml", "name": "run", "uid": "u", "resourceVersion": "9"}
    return parse_rendezvous({"metadata": metadata, "spec": spec, "status": status})
