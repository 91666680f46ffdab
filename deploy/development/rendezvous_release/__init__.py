"""`make release VERSION=…`: everything that strangers download and verify, the same bytes each time."""
