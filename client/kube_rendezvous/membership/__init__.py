"""Taking part in a rendezvous from inside a node: one Member object, one watch, and what they mean together."""
