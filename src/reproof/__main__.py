"""`python -m reproof` is the same as `reproof`."""

from reproof.cli import main

if __name__ == "__main__":
    main()
