"""What the API server says, kept up to date."""
