"""The rendezvous interface has the shape of the installed torch's: the same names, called the same way."""

import dataclasses
import inspect
from datetime import timedelta
from typing import Any, get_args

import pytest

import kube_rendezvous.api as ours

torch_distributed = pytest.importorskip("torch.distributed", reason="the shape is compared with torch's own")
theirs = pytest.importorskip("torch.distributed.elastic.rendezvous.api")
torch_ports = pytest.importorskip("torch.distributed.elastic.utils.distributed")

CLASSES = sorted(name for name in theirs.__all__ if inspect.isclass(getattr(theirs, name)))


def public_members(cls: type) -> dict[str, Any]:
    """What a class defines for its users, with the constructor, without what it inherits."""
    return {name: member for name, member in vars(cls).items() if name == "__init__" or name[0] != "_"}


def shape(member: Any) -> Any:
    """What a caller can rely on in a member; annotations and docstrings are ours to write better."""
    if isinstance(member, property):
        return ("property", member.fset is None, shape(member.fget))
    if isinstance(member, staticmethod | classmethod):
        return (type(member).__name__, shape(member.__func__))
    if callable(member):
        parameters = inspect.signature(member).parameters.values()
        return [(parameter.name, parameter.kind.name, parameter.default) for parameter in parameters]
    return member


def dataclass_shape(cls: Any) -> Any:
    if not dataclasses.is_dataclass(cls):
        return None
    fields = [(field.name, field.type, field.default, field.init) for field in dataclasses.fields(cls)]
    return fields, repr(vars(cls)["__dataclass_params__"])


def test_exports_what_torch_exports_and_the_two_names_torch_takes_from_elsewhere() -> None:
    assert set(ours.__all__) - set(theirs.__all__) == {"Store", "get_free_port"}
    assert set(theirs.__all__) <= set(ours.__all__)
    assert all(hasattr(ours, name) for name in ours.__all__)


def test_the_comparison_covers_every_export_of_torch() -> None:
    compared = {*CLASSES, "RendezvousHandlerCreator", "rendezvous_handler_registry"}

    assert compared == set(theirs.__all__)


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_the_same_members_with_the_same_parameters(name: str) -> None:
    own, torchs = public_members(getattr(ours, name)), public_members(getattr(theirs, name))

    assert {member: shape(value) for member, value in own.items()} == {
        member: shape(value) for member, value in torchs.items()
    }


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_the_same_ancestors(name: str) -> None:
    assert [base.__name__ for base in getattr(ours, name).__mro__] == [
        base.__name__ for base in getattr(theirs, name).__mro__
    ]


@pytest.mark.parametrize("name", CLASSES)
def test_class_leaves_the_same_methods_to_be_written(name: str) -> None:
    left: list[frozenset[str]] = [
        getattr(getattr(module, name), "__abstractmethods__", frozenset()) for module in (ours, theirs)
    ]

    assert left[0] == left[1]


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_a_dataclass_of_the_same_fields_or_none(name: str) -> None:
    own, torchs = dataclass_shape(getattr(ours, name)), dataclass_shape(getattr(theirs, name))

    assert own == torchs


def test_creator_is_a_callable_from_parameters_to_handler() -> None:
    (own_arguments, own_result), (arguments, result) = (
        get_args(module.RendezvousHandlerCreator) for module in (ours, theirs)
    )

    assert (own_arguments, own_result) == ([ours.RendezvousParameters], ours.RendezvousHandler)
    assert (arguments, result) == ([theirs.RendezvousParameters], theirs.RendezvousHandler)


def test_get_free_port_takes_no_arguments_as_torchs() -> None:
    assert shape(ours.get_free_port) == shape(torch_ports.get_free_port) == []
    assert theirs.get_free_port is torch_ports.get_free_port


class TestStoreProtocol:
    @pytest.fixture
    def store(self) -> ours.Store:
        made: ours.Store = torch_distributed.PrefixStore("round/1", torch_distributed.HashStore())
        return made

    @pytest.mark.parametrize("kind", ["Store", "HashStore", "FileStore", "TCPStore", "PrefixStore"])
    def test_asks_for_nothing_that_a_store_of_torch_lacks(self, kind: str) -> None:
        asked = {name for name in vars(ours.Store) if name[0] != "_"}

        assert asked <= set(dir(getattr(torch_distributed, kind)))

    def test_asks_for_all_that_the_agent_uses(self) -> None:
        used = {"set", "get", "multi_get", "multi_set", "add", "wait", "timeout", "set_timeout"}

        assert used <= set(dir(ours.Store))

    def test_is_met_by_stores_of_torch_and_not_by_a_mapping(self, store: ours.Store) -> None:
        assert isinstance(store, ours.Store)
        assert isinstance(torch_distributed.HashStore(), ours.Store)
        assert not isinstance({}, ours.Store)

    def test_describes_how_a_store_of_torch_is_called(self, store: ours.Store) -> None:
        store.set_timeout(timedelta(seconds=9))
        assert store.timeout == timedelta(seconds=9)

        store.set("text", "white")
        store.set("bytes", b"black")
        assert (store.get("text"), store.get("bytes")) == (b"white", b"black")

        store.multi_set(["a", "b"], ["1", b"2"])
        assert list(store.multi_get(["b", "a"])) == [b"2", b"1"]

        assert (store.add("moves", 2), store.add("moves", 3)) == (2, 5)

        assert store.compare_set("turn", "", "white") == b"white"
        assert store.compare_set("turn", "black", "white") == b"white"
        assert store.compare_set("turn", "white", "black") == b"black"

        store.wait(["a"])
        store.wait(["a", "b"], timedelta(seconds=1))
        assert store.check(["a", "b"])
        assert not store.check(["a", "missing"])

        before = store.num_keys()
        assert store.delete_key("a")
        assert not store.delete_key("a")
        assert store.num_keys() == before - 1

    def test_is_all_that_build_needs_of_a_store_of_torch(self, store: ours.Store) -> None:
        announced = ours.RendezvousStoreInfo.build(0, store, "10.0.0.7", 29500)

        assert ours.RendezvousStoreInfo.build(1, store, None) == announced
        assert announced == ours.RendezvousStoreInfo("10.0.0.7", 29500)
