"""`make matrix`: the integration core on each supported version of everything, and the table of it."""
