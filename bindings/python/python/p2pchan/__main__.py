"""What `python -m p2pchan` does: a quick try of the package from a terminal."""

import argparse
import sys
from importlib.metadata import version

from . import _join


def main() -> int:
    """Runs the command that the arguments name, and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m p2pchan",
        description="Live, encrypted channels between all programs that share a phrase.",
        epilog="`python -m p2pchan join --help` tells what join takes.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"p2pchan {version('p2pchan')}")
    _join.add_to(parser.add_subparsers(metavar="COMMAND", dest="command"))
    options = parser.parse_args()
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    return _join.run(options)


if __name__ == "__main__":
    sys.exit(main())
