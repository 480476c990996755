"""`python -m cumulet` is the `cumulet` command."""

from cumulet.cli.main import main

if __name__ == "__main__":
    main()
