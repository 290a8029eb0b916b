"""`python -m app` is the `counterclaim` command.

Ctrl-C ends a command at once, as any other signal would: nothing is recorded by halves, whenever it comes. Raised as
an exception it would be lost in whatever runs just then, or print the traceback of a module that was being loaded.
Only `serve`, which ends the requests that it has, takes it differently.
"""

import signal


def main() -> None:
    """Run the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from app.cli import main as command  # noqa: PLC0415 - Ctrl-C may come while it loads

    command()


if __name__ == "__main__":
    main()
