"""Takes part for a trainer that cannot, or should not, do it itself: in another container of the pod, in any language.

What the sidecar says, it says in three equal ways: ``DIR/round.env`` for shells, ``DIR/round.json`` for programs, and
``GET /v1/round`` for those who want to be woken. Each file is replaced as a whole; the JSON comes last.

    state     the trainer                                                   the sidecar
    waiting   has nothing to do yet                                         joins and waits for a round
    formed    runs, as RANK of WORLD_SIZE, and binds MASTER_PORT if RANK=0  watches
    forming   must stop: this round is over (`reason`, `message`)           joins again
    closed    must stop: there will be no round any more                    stays until SIGTERM
    left      must stop: this node has left                                 stays until SIGTERM

The trainer's rule: run while the state is ``formed`` and the round is the one you were started with. Each round has a
port of its own for rank 0, so that a trainer that is slow to stop cannot get into the next round by mistake.

By default the sidecar joins again at once when a round is over; the trainer may still be busy with its last words. With
``--wait-for-trainer`` it joins only after the trainer has said that it has stopped: ``POST /v1/ready``, or the number
of the round that it has stopped written into ``DIR/ready``. That is for trainers that need minutes to stop.

The end: a node that leaves makes the others form a round without it, which is right when it was evicted, and wrong when
the work is done. So a trainer that is done says so before it exits: ``POST /v1/leave?close=true``,
``kube-rendezvous leave --close``, or a file ``DIR/finished``, at which the sidecar looks when it gets SIGTERM (which a
native sidecar gets after the main containers have ended). Without that it leaves and does not close.
"""
