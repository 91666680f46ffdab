"""When a round is formed, and of whom."""
