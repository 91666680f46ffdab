"""`python -m rendezvous_docs [--check]`: write the generated pages, or say what is wrong with the documentation."""

import argparse
import sys

from rendezvous_docs.pages import faults
from rendezvous_docs.references import TOP, references


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 if a page is not up to date, or names what does not exist."""
    parser = argparse.ArgumentParser(
        prog="python -m rendezvous_docs",
        description="Writes the pages of docs/reference that follow from crds/, the chart and the operator.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if a page is old, or names what is not there"
    )
    check = parser.parse_args(arguments).check
    stale = [(file, text) for file, text in references().items() if not file.is_file() or file.read_text() != text]
    for file, text in stale:
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        todo = "is not up to date: run `make generate`" if check else "written"
        sys.stderr.write(f"{file.relative_to(TOP)} {todo}\n")
    wrong = faults() if check else []
    for fault in wrong:
        sys.stderr.write(f"{fault}\n")
    return 1 if check and (stale or wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
