"""`python -m ppaint_stats` is the command `ppaint`."""

from ppaint_stats.cli import main

if __name__ == "__main__":
    main()
