"""What `torchrun`'s options mean to the kubernetes backend."""

import re
from typing import Any

import pytest

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.setting_names import SETTINGS
from kube_rendezvous.settings import HandlerSettings, read_settings


def read(run_id: str = "run", endpoint: str = "", **config: Any) -> HandlerSettings:
    return read_settings(RendezvousParameters("kubernetes", endpoint, run_id, 2, 4, **config))


def test_everything_has_a_default_but_the_id_and_the_number_of_nodes() -> None:
    assert read() == HandlerSettings("run", None, 2, 4)


def test_all_keys_are_read_also_as_text_as_torchrun_passes_them() -> None:
    settings = read(
        endpoint="team-a",
        join_timeout="900",
        close_timeout="7",
        last_call_timeout="0",
        read_timeout="5",
        kubeconfig="/kubeconfig",
        context="prod",
        address="10.0.0.7",
        slot="3",
        create="never",
    )
    assert settings == HandlerSettings(
        "run", "team-a", 2, 4, 900.0, 7.0, 0, 5.0, "/kubeconfig", "prod", "10.0.0.7", "3", "never"
    )


def test_what_torchs_launchers_add_and_what_its_own_backends_take_is_ignored_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    theirs = {"timeout": "900", "is_host": "true", "rank": "0", "store_type": "file", "keep_alive_interval": "3"}
    assert read(**theirs, protocol="https", cert="c", key="k", cacert="a") == read()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("join_timout", "join_timeout"),
        ("join-timeout", "join_timeout"),
        ("JOIN_TIMEOUT", "join_timeout"),
        ("lastcall_timeout", "last_call_timeout"),
        ("adress", "address"),
        ("slots", "slot"),
        ("kube_config", "kubeconfig"),
    ],
)
def test_a_key_that_is_nobodys_is_ignored_with_a_warning_that_names_the_nearest(
    written: str, meant: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(**{written: "5"}) == read()
    assert [record.getMessage() for record in caplog.records] == [
        f"--rdzv-conf, ignored: {written!r} is no setting: did you mean {meant!r}?"
    ]


def test_a_key_that_is_like_none_is_answered_with_all_there_are(caplog: pytest.LogCaptureFixture) -> None:
    assert read(whatever="x") == read()
    assert "'whatever' is no setting: there are address, close_timeout, context, create, join_timeout" in caplog.text


def test_every_setting_that_is_read_is_known() -> None:
    asked: set[str] = set()

    class Asked(RendezvousParameters):
        def get(self, key: str, default: Any = None) -> Any:
            asked.add(key)
            return super().get(key, default)

    read_settings(Asked("kubernetes", "", "run", 1, 1))
    assert asked == SETTINGS


def test_the_local_address_of_torchrun_is_used_unless_the_backends_own_key_says_otherwise() -> None:
    params = RendezvousParameters("kubernetes", "", "run", 1, 1, local_addr="10.0.0.8")
    assert read_settings(params).address == "10.0.0.8"
    params = RendezvousParameters("kubernetes", "", "run", 1, 1, local_addr="10.0.0.8", address="10.0.0.9")
    assert read_settings(params).address == "10.0.0.9"


def test_a_slot_may_be_a_number() -> None:
    assert read(slot=0).slot == "0"


@pytest.mark.parametrize("run_id", ["run", "a", "my-run.v2", "0", "x" * 63])
def test_names_that_objects_can_have_are_taken(run_id: str) -> None:
    assert read(run_id).name == run_id


@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [
        ("none", "needs the name of a Rendezvous object: --rdzv-id"),
        ("", "needs the name of a Rendezvous object: --rdzv-id"),
        ("My Run", "use at most 63 lower-case letters, digits, '-' and '.', for example my-run$"),
        ("run_1", "for example run-1$"),
        ("-run-", "for example run$"),
        ("___", "for example my-run$"),
        ("run\n", "cannot be the name"),
        ("x" * 64, "cannot be the name"),
    ],
)
def test_an_id_that_no_object_can_have_is_refused_with_one_that_it_can(run_id: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(run_id)


@pytest.mark.parametrize("endpoint", ["host:29400", "10.0.0.1", "Team", "-a", "a" * 64])
def test_an_endpoint_that_is_no_namespace_is_refused_with_what_it_means(endpoint: str) -> None:
    with pytest.raises(ValueError, match="the endpoint names the namespace of the Rendezvous object; leave it out"):
        read(endpoint=endpoint)


@pytest.mark.parametrize("word", ["--rdzv-id", "PET_RDZV_ID", "--rdzv-conf name=my-run"])
def test_a_missing_name_names_every_way_to_give_one(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        read("none")


@pytest.mark.parametrize("run_id", ["none", "", "another", "3B1F_uuid"])
def test_a_name_among_the_configuration_wins_for_launchers_that_pass_no_id(run_id: str) -> None:
    assert read(run_id, name="my-run").name == "my-run"


def test_a_namespace_among_the_configuration_wins_for_launchers_that_make_an_endpoint_of_their_own() -> None:
    assert read(endpoint="job-worker-0:29400", namespace="team-a").namespace == "team-a"


@pytest.mark.parametrize(("key", "value"), [("name", "My Run"), ("name", "none"), ("namespace", "host:1")])
def test_a_name_of_the_configuration_that_cannot_be_one_is_refused_by_its_key(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=key):
        read(**{key: value})


@pytest.mark.parametrize(
    "word", ["PET_RDZV_ENDPOINT", "Kubeflow", "--main_process_ip", "--same_network", "namespace=NAME"]
)
def test_an_endpoint_with_a_port_is_refused_with_where_it_may_come_from(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        read(endpoint="job-worker-0:29400")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"join_timeout": 0}, "join_timeout=0: must be a number of seconds above 0"),
        ({"close_timeout": "-1"}, "close_timeout=-1: must be"),
        ({"read_timeout": 0}, "read_timeout=0: must be"),
        ({"join_timeout": "soon"}, "--rdzv-conf join_timeout=soon: must be a whole number of seconds"),
        ({"last_call_timeout": -1}, "last_call_timeout=-1: must be a number of seconds from 0 to 86400"),
        ({"last_call_timeout": 86401}, "last_call_timeout=86401"),
        ({"create": "always"}, "create='always': use 'if-missing' or 'never'"),
        ({"slot": "a b"}, "slot='a b': use at most 63 letters"),
        ({"slot": "x" * 64}, "use at most 63 letters"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_key(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(**config)
