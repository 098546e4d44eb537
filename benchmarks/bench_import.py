"""Seconds to import the package in a fresh process, and that neither PyMC nor torch comes with it."""

import json
import os
import subprocess
import sys
import tempfile

import pandas as pd
from common import read_arguments, write_results

STATEMENTS = (
    "pass",
    "import numpy",
    "import pandas",
    "import ppaint_stats",
    "import ppaint_stats as ps; ps.Study",
    "import ppaint_stats as ps; ps.fuse_davidson",
    "import ppaint_stats as ps; ps.fuse_elo",
)
HEAVY = ("pymc", "torch", "arviz", "numba", "scipy", "matplotlib", "pyarrow")
CODE = """
import json, sys, time
start, cpu = time.perf_counter(), time.process_time()
{statement}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print(json.dumps([seconds, cpu, [m for m in {heavy} if m in sys.modules]]))
"""


def main() -> None:
    args = read_arguments(__doc__)
    rows = []
    with tempfile.TemporaryDirectory() as cache:  # compiled files of its own, whatever the environment says
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        for statement in STATEMENTS[3:4] if args.quick else STATEMENTS:
            command = [sys.executable, "-c", CODE.format(statement=statement, heavy=HEAVY)]
            runs = []
            for _ in range(2 if args.quick else 6):
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                runs.append(json.loads(done.stdout))
            seconds, cpu, loaded = (min(column) for column in zip(*runs[1:], strict=True))  # the first one compiles
            row = {"statement": statement, "seconds": seconds, "processor seconds": cpu}
            rows.append(row | {"heavy packages loaded": ", ".join(loaded) or "none"})
    note = f"Fresh processes, best of 5, without the start of the interpreter. Heavy packages: {', '.join(HEAVY)}."
    write_results(args.out, "import", {"seconds": pd.DataFrame(rows)}, note=note)


if __name__ == "__main__":
    main()
