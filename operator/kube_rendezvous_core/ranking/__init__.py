"""Who gets which rank, and what stays."""
