"""What is known of members, pods, nodes and owners: frozen, parsed at the border."""
