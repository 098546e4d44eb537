"""`python -m ppaint_distill` is the command `ppaint-distill`."""

from ppaint_distill.cli import main

if __name__ == "__main__":
    main()
