"""`kube_rendezvous.rendezvous(...)`: a setting that does not exist is a mistake in the program."""

import pytest

import kube_rendezvous


def test_a_mistyped_setting_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(TypeError, match=r"'join_timout' is no setting: did you mean 'join_timeout'\?"):
        kube_rendezvous.rendezvous("my-run", nnodes=1, join_timout=5)
