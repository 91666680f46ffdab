"""The launcher's side of a round that workers live through."""
