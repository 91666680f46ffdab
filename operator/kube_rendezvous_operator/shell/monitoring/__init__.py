"""What is measured, served and logged of the operator itself."""
