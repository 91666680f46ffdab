"""Rendezvous parameters behave as PyTorch's do.

Each test runs twice, against this project's interface and, where torch is installed, against torch's own.
"""

import re
from types import ModuleType
from typing import Any

import pytest


def parameters(api: ModuleType, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "backend": "chess",
        "endpoint": "park:7",
        "run_id": "run-1",
        "min_nodes": 3,
        "max_nodes": 6,
    }
    return api.RendezvousParameters(**{**given, **changes})


class TestParameters:
    def test_keep_what_they_are_given(self, api: ModuleType) -> None:
        params = parameters(api, local_addr="10.0.0.7", colour="white")

        assert (params.backend, params.endpoint, params.run_id) == ("chess", "park:7", "run-1")
        assert (params.min_nodes, params.max_nodes, params.local_addr) == (3, 6, "10.0.0.7")
        assert params.config == {"colour": "white"}
        assert params.get("colour") == "white"

    def test_have_no_local_address_and_no_configuration_unless_given(self, api: ModuleType) -> None:
        params = api.RendezvousParameters("chess", "", "", 1, 1)

        assert params.local_addr is None
        assert params.config == {}

    @pytest.mark.parametrize(("min_nodes", "max_nodes"), [(1, 6), (1, 1), (3, 3)])
    def test_accept_one_node_and_a_fixed_number_of_nodes(self, api: ModuleType, min_nodes: int, max_nodes: int) -> None:
        params = parameters(api, min_nodes=min_nodes, max_nodes=max_nodes)

        assert (params.min_nodes, params.max_nodes) == (min_nodes, max_nodes)

    @pytest.mark.parametrize("backend", [None, ""])
    def test_need_the_name_of_a_backend(self, api: ModuleType, backend: Any) -> None:
        with pytest.raises(ValueError, match=r"^The rendezvous backend name must be a non-empty string\.$"):
            parameters(api, backend=backend)

    @pytest.mark.parametrize("min_nodes", [0, -1, -5])
    def test_need_at_least_one_node(self, api: ModuleType, min_nodes: int) -> None:
        expected = f"The minimum number of rendezvous nodes ({min_nodes}) must be greater than zero."

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
            parameters(api, min_nodes=min_nodes)

    @pytest.mark.parametrize("max_nodes", [2, 1, 0, -2])
    def test_need_room_for_the_fewest_nodes(self, api: ModuleType, max_nodes: int) -> None:
        expected = (
            f"The maximum number of rendezvous nodes ({max_nodes}) must be greater than or equal to the "
            "minimum number of rendezvous nodes (3)."
        )

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
            parameters(api, max_nodes=max_nodes)

    def test_name_the_first_of_several_faults(self, api: ModuleType) -> None:
        with pytest.raises(ValueError, match="backend name"):
            parameters(api, backend="", min_nodes=0, max_nodes=-1)
        with pytest.raises(ValueError, match=r"^The minimum number"):
            parameters(api, min_nodes=0, max_nodes=-1)


class TestConfigurationValues:
    @pytest.mark.parametrize("getter", ["get", "get_as_bool", "get_as_int"])
    def test_are_none_when_missing(self, api: ModuleType, getter: str) -> None:
        assert getattr(parameters(api), getter)("colour") is None

    @pytest.mark.parametrize(("getter", "default"), [("get", "white"), ("get_as_bool", True), ("get_as_int", 5)])
    def test_are_the_default_when_missing(self, api: ModuleType, getter: str, default: Any) -> None:
        assert getattr(parameters(api), getter)("colour", default=default) == default

    @pytest.mark.parametrize("getter", ["get", "get_as_bool", "get_as_int"])
    def test_are_none_rather_than_the_default_when_none_was_given(self, api: ModuleType, getter: str) -> None:
        assert getattr(parameters(api, colour=None), getter)("colour", default=1) is None

    @pytest.mark.parametrize("value", ["1", "True", "tRue", "T", "t", "yEs", "Y", 1, True])
    def test_that_mean_yes_are_true(self, api: ModuleType, value: Any) -> None:
        assert parameters(api, rated=value).get_as_bool("rated") is True

    @pytest.mark.parametrize("value", ["0", "False", "faLse", "F", "f", "nO", "N", 0, False])
    def test_that_mean_no_are_false(self, api: ModuleType, value: Any) -> None:
        assert parameters(api, rated=value).get_as_bool("rated") is False

    @pytest.mark.parametrize(
        "value",
        ["", "01", "Flse", "Ture", "g", "4", "_", " true", "truefalse", "on", 2, -1, 1.0, 0.0, b"1", [], {}],
    )
    def test_that_mean_neither_are_no_truth_value(self, api: ModuleType, value: Any) -> None:
        expected = "The rendezvous configuration option 'rated' does not represent a valid boolean value."

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
            parameters(api, rated=value).get_as_bool("rated")

    @pytest.mark.parametrize("value", ["0", "-10", "5", "  4", "4  ", " 4 ", "1_000", 0, -4, 3, True, 2.9])
    def test_that_read_as_a_number_are_whole_numbers(self, api: ModuleType, value: Any) -> None:
        number = parameters(api, moves=value).get_as_int("moves")

        assert number == int(value)
        assert type(number) is int

    @pytest.mark.parametrize("value", ["", "a", "0a", "3b", "abc", "1.5", float("nan")])
    def test_that_do_not_read_as_a_number_are_refused(self, api: ModuleType, value: Any) -> None:
        expected = "The rendezvous configuration option 'moves' does not represent a valid integer value."

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$") as raised:
            parameters(api, moves=value).get_as_int("moves")

        assert isinstance(raised.value.__cause__, ValueError)

    def test_of_a_type_that_is_never_a_number_are_a_type_error(self, api: ModuleType) -> None:
        with pytest.raises(TypeError):
            parameters(api, moves=[]).get_as_int("moves")

    @pytest.mark.parametrize("getter", ["get_as_bool", "get_as_int"])
    def test_refuse_a_default_that_is_none_of_their_kind(self, api: ModuleType, getter: str) -> None:
        with pytest.raises(ValueError, match="'colour' does not represent a valid"):
            getattr(parameters(api), getter)("colour", default="white")
