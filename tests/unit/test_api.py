"""Handlers, registry, rounds, bootstrap addresses and errors behave as PyTorch's do.

Each test runs twice, against this project's interface and, where torch is installed, against torch's own.
"""

import re
import socket
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import kube_rendezvous.api


class DictStore:
    """A store in memory, with what RendezvousStoreInfo.build needs of one."""

    def __init__(self, **values: bytes) -> None:
        self.values = dict(values)

    def set(self, key: str, value: bytes) -> None:
        self.values[key] = value

    def get(self, key: str) -> bytes:
        return self.values[key]


def parameters(api: ModuleType, backend: str = "chess") -> Any:
    return api.RendezvousParameters(backend, "park:7", "run-1", 1, 1)


def handler_class(api: ModuleType, **members: Any) -> Any:
    answers: dict[str, Any] = {
        "get_backend": lambda self: "chess",
        "next_rendezvous": lambda self: None,
        "is_closed": lambda self: False,
        "set_closed": lambda self: None,
        "num_nodes_waiting": lambda self: 0,
        "get_run_id": lambda self: "run-1",
        "shutdown": lambda self: True,
        "__init__": lambda self, params=None: setattr(self, "params", params),
    }
    return type("ChessHandler", (api.RendezvousHandler,), {**answers, **members})


class TestRegistry:
    def test_makes_the_handler_that_the_parameters_name(self, api: ModuleType) -> None:
        registry = api.RendezvousHandlerRegistry()
        handler_type, params = handler_class(api), parameters(api)
        registry.register("chess", handler_type)

        handler = registry.create_handler(params)

        assert isinstance(handler, handler_type)
        assert handler.params is params

    def test_takes_the_same_registration_twice(self, api: ModuleType) -> None:
        registry = api.RendezvousHandlerRegistry()
        creator = handler_class(api)

        registry.register("chess", creator)
        registry.register("chess", creator)

        assert isinstance(registry.create_handler(parameters(api)), creator)

    def test_refuses_another_creator_under_a_taken_name_and_keeps_the_first(self, api: ModuleType) -> None:
        registry = api.RendezvousHandlerRegistry()
        first, second = handler_class(api), handler_class(api)
        registry.register("chess", first)
        expected = (
            f"The rendezvous backend 'chess' cannot be registered with '{second}' as it is already "
            f"registered with '{first}'."
        )

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
            registry.register("chess", second)

        assert isinstance(registry.create_handler(parameters(api)), first)

    @pytest.mark.parametrize("backend", [None, ""])
    def test_refuses_a_backend_without_a_name(self, api: ModuleType, backend: Any) -> None:
        with pytest.raises(ValueError, match=r"^The rendezvous backend name must be a non-empty string\.$"):
            api.RendezvousHandlerRegistry().register(backend, handler_class(api))

    def test_says_which_backend_is_unknown(self, api: ModuleType) -> None:
        expected = "The rendezvous backend 'chess' is not registered. Did you forget to call `register`?"

        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$") as raised:
            api.RendezvousHandlerRegistry().create_handler(parameters(api))

        assert isinstance(raised.value.__cause__, KeyError)

    def test_refuses_a_handler_that_goes_by_another_name(self, api: ModuleType) -> None:
        registry = api.RendezvousHandlerRegistry()
        registry.register("draughts", handler_class(api))
        expected = "The rendezvous backend 'chess' does not match the requested backend 'draughts'."

        with pytest.raises(RuntimeError, match=f"^{re.escape(expected)}$"):
            registry.create_handler(parameters(api, "draughts"))

    def test_shares_nothing_with_another_registry(self, api: ModuleType) -> None:
        api.RendezvousHandlerRegistry().register("chess", handler_class(api))

        with pytest.raises(ValueError, match="'chess' is not registered"):
            api.RendezvousHandlerRegistry().create_handler(parameters(api))

    def test_that_is_ready_is_one_of_its_kind(self, api: ModuleType) -> None:
        assert isinstance(api.rendezvous_handler_registry, api.RendezvousHandlerRegistry)


class TestReadyRegistry:
    def test_makes_the_kubernetes_handler_without_any_registration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = kube_rendezvous.api
        handler_type = handler_class(ours, get_backend=lambda self: "kubernetes")
        monkeypatch.setitem(sys.modules, "kube_rendezvous.handler", SimpleNamespace(create_handler=handler_type))
        params = parameters(ours, "kubernetes")

        handler = ours.rendezvous_handler_registry.create_handler(params)

        assert isinstance(handler, handler_type)
        assert handler.params is params


class TestHandler:
    def test_cannot_be_made_from_the_interface_itself(self, api: ModuleType) -> None:
        with pytest.raises(TypeError, match="abstract"):
            api.RendezvousHandler()

    @pytest.mark.parametrize(
        "method",
        [
            "get_backend",
            "next_rendezvous",
            "is_closed",
            "set_closed",
            "num_nodes_waiting",
            "get_run_id",
            "shutdown",
        ],
    )
    def test_must_answer_every_question(self, api: ModuleType, method: str) -> None:
        unchanged = getattr(api.RendezvousHandler, method)

        with pytest.raises(TypeError, match=method):
            handler_class(api, **{method: unchanged})()

    def test_keeps_the_agents_store_to_the_agents_unless_it_says_otherwise(self, api: ModuleType) -> None:
        sharing = handler_class(api, use_agent_store=property(lambda self: True))

        assert handler_class(api)().use_agent_store is False
        assert sharing().use_agent_store is True


class TestRound:
    def test_tells_what_it_was_made_of(self, api: ModuleType) -> None:
        store, address = object(), api.RendezvousStoreInfo("10.0.0.7", 29500)

        info = api.RendezvousInfo(store, 1, 4, address)

        assert info.store is store
        assert (info.rank, info.world_size) == (1, 4)
        assert info.bootstrap_store_info is address

    @pytest.mark.parametrize("name", ["store", "rank", "world_size", "bootstrap_store_info"])
    def test_cannot_be_changed(self, api: ModuleType, name: str) -> None:
        info = api.RendezvousInfo(store=object(), rank=0, world_size=1, bootstrap_store_info=None)

        with pytest.raises(AttributeError):
            setattr(info, name, 7)


class TestBootstrapStoreAddress:
    def test_is_announced_by_rank_0(self, api: ModuleType) -> None:
        store = DictStore()

        info = api.RendezvousStoreInfo.build(0, store, "10.0.0.7", server_port=29500)

        assert info == api.RendezvousStoreInfo(master_addr="10.0.0.7", master_port=29500)
        assert store.values == {"MASTER_ADDR": b"10.0.0.7", "MASTER_PORT": b"29500"}

    @pytest.mark.parametrize("rank", [1, 7, -1])
    def test_is_read_by_the_others_whatever_they_know_themselves(self, api: ModuleType, rank: int) -> None:
        store = DictStore(MASTER_ADDR=b"fd00::7", MASTER_PORT=b"29500")

        info = api.RendezvousStoreInfo.build(rank, store, "10.0.0.9", server_port=1)

        assert info == api.RendezvousStoreInfo("fd00::7", 29500)
        assert store.values == {"MASTER_ADDR": b"fd00::7", "MASTER_PORT": b"29500"}

    @pytest.mark.parametrize("local_addr", [None, ""])
    def test_is_the_host_name_when_no_address_is_known(
        self, api: ModuleType, local_addr: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "getfqdn", lambda: "trainer-0.example")

        info = api.RendezvousStoreInfo.build(0, DictStore(), local_addr, 29500)

        assert info.master_addr == "trainer-0.example"

    @pytest.mark.parametrize("server_port", [None, 0])
    def test_has_a_free_port_when_no_server_runs(
        self, api: ModuleType, server_port: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api, "get_free_port", lambda: 4711)

        assert api.RendezvousStoreInfo.build(0, DictStore(), "10.0.0.7", server_port).master_port == 4711

    def test_goes_by_the_names_that_trainers_know(self, api: ModuleType) -> None:
        assert api.RendezvousStoreInfo.MASTER_ADDR_KEY == "MASTER_ADDR"
        assert api.RendezvousStoreInfo.MASTER_PORT_KEY == "MASTER_PORT"


class TestFreePort:
    def test_can_be_bound_on_every_address(self, api: ModuleType) -> None:
        port = api.get_free_port()

        with socket.create_server(("0.0.0.0", port)) as server:
            assert server.getsockname()[1] == port

    def test_is_found_on_a_machine_without_ipv6(self, api: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        real = socket.socket

        def without_ipv6(family: int = -1, *rest: Any, **named: Any) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError("Address family not supported by protocol")
            return real(family, *rest, **named)

        monkeypatch.setattr(socket, "socket", without_ipv6)

        assert 0 < api.get_free_port() < 65536

    def test_is_an_error_where_no_socket_can_be_made(self, api: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise OSError("Too many open files")

        monkeypatch.setattr(socket, "socket", refuse)

        with pytest.raises(RuntimeError, match=r"^Failed to create a socket$"):
            api.get_free_port()


class TestErrors:
    @pytest.mark.parametrize("kind", ["Closed", "Timeout", "Connection", "State", "GracefulExit"])
    def test_are_all_rendezvous_errors_and_none_of_another_kind(self, api: ModuleType, kind: str) -> None:
        error = getattr(api, f"Rendezvous{kind}Error")

        assert error.__mro__ == (error, api.RendezvousError, Exception, BaseException, object)
