"""The demonstration behind `make demo`: real nodes meet, are lost and are replaced on a real API server.

`scenario` is the timeline with stock torchrun, which restarts all processes for each round; `surviving_scenario` is the
one in which survivors keep theirs. Both play on a `stage`. What happened is seen from outside, by watching the objects
(`observation`) and the lines that the training appends to a file (`training_log`). `measurements` judges what was seen,
`recoveries` puts the two ways side by side.
"""
