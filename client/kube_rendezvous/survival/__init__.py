"""A trainer that lives through rounds: survivors of a loss keep their processes, and all that is in them.

    from kube_rendezvous.survival import survive
    from kube_rendezvous.survival.torch_state import share_state

    model, optimizer, state = build()                       # before it joins: others wait for whoever has joined
    with survive("my-run", nnodes="2:4", progress=lambda: state.step) as group:
        for round in group:                                 # every round is taken in here, in this process
            with round:                                     # the loss of a peer ends the block, not the process
                share_state(round, model, optimizer, state) # newcomers get it from the survivor that is furthest
                ddp = DistributedDataParallel(model)        # whatever holds groups is made anew in each round
                while state.step < STEPS:
                    round.check()                           # between steps; from memory
                    train_one_step(ddp, optimizer, state)

The loop ends when every process has come to the end of its body in the same round. Under ``kube-rendezvous run
--keep-survivors --nproc-per-node N`` call ``survive(progress=…)`` alone. `Group.take_round` and `Group.changed` are
there for loops of another shape. Importing this imports no framework.
"""

from kube_rendezvous.survival.errors import EngineError, RoundOverError, TakeInError
from kube_rendezvous.survival.group import Group, Round
from kube_rendezvous.survival.sampler import ElasticSampler, Share
from kube_rendezvous.survival.surviving import survive

__all__ = [
    "ElasticSampler",
    "EngineError",
    "Group",
    "Round",
    "RoundOverError",
    "Share",
    "TakeInError",
    "survive",
]
