"""What failures and closings mean for the run."""
