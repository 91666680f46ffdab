"""The demonstration behind `make demo`: real torchrun nodes meet, are lost and are replaced on a real API server.

`scenario` is the timeline. What happened is seen from outside, by watching the objects (`observation`) and the lines
that the training appends to a file (`training_log`); `measurements` judges it.
"""
