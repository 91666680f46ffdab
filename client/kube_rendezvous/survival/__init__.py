"""The worker's side of a change of membership: one process, round after round."""
