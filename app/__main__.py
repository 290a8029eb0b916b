"""`python -m app` is the `counterclaim` command."""

from app.cli import main

if __name__ == "__main__":
    main()
