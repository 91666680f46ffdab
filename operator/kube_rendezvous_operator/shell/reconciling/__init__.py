"""One rendezvous brought from what is seen to what was decided."""
