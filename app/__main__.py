"""`python -m app` is the `counterclaim` command.

SIGINT (Ctrl-C) has its default action and ends the process immediately, which is safe because writes are atomic. As a
`KeyboardInterrupt` it could be swallowed by the code that is running, or print the traceback of a module that is being
imported. Only `serve` handles it: the requests in progress are completed first.
"""

import gc
import signal


def main() -> None:
    """Run the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # modules are kept: collections during the import would take a sixth of its time
    from app.cli import main as command  # noqa: PLC0415 - handles Ctrl-C during the import

    gc.freeze()
    gc.enable()
    command()


if __name__ == "__main__":
    main()
