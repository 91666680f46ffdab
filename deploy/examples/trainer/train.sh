#!/bin/sh
# A trainer without a rendezvous library, here a shell script: it reads its place from a file that the sidecar writes, and
# starts its work again whenever the file names another round. Nothing but `sh` is needed.
#
#   train.sh STEPS SECONDS_PER_STEP
set -eu
steps=${1:-100}
seconds=${2:-0.2}
folder=${RENDEZVOUS_FOLDER:-/rendezvous}
step=0
working_on=0

pause() {
    sleep "$seconds" & # in the background: a signal ends `wait` at once, but not a sleep in the foreground
    wait $!
}

trap 'echo "SIGTERM: saving step $step"; exit 143' TERM

while [ "$step" -lt "$steps" ]; do
    . "$folder/round.env" # RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, RENDEZVOUS_ROUND, …; it is replaced as a whole
    case $RENDEZVOUS_STATE in
    formed | closed) ;;         # closed: some of the others have finished; so will we
    *) pause && continue ;; # the round is over; the next one is being formed
    esac
    if [ "$RENDEZVOUS_ROUND" != "$working_on" ]; then
        working_on=$RENDEZVOUS_ROUND
        echo "rank $RANK of $WORLD_SIZE: round $RENDEZVOUS_ROUND, rank 0 is at $MASTER_ADDR:$MASTER_PORT, after step $step"
        first=yes
    fi
    pause
    step=$((step + 1))
    if [ "$first" = yes ]; then
        echo "rank $RANK of $WORLD_SIZE: first step of this round done: step $step"
        first=no
    fi
done
touch "$folder/finished" # the sidecar, which ends after us, then says that the work is done, and nobody is started again
echo "rank $RANK of $WORLD_SIZE: done after $step steps"
