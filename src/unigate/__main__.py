"""`python -m unigate`."""

from unigate.cli import main

if __name__ == "__main__":
    main()
