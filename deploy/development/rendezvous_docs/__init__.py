"""The documentation site: references generated from code, and what mkdocs needs to show the repository's own files."""
