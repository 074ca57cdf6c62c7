"""The command line with workers that answer without a request: `python -m benchmarks.null_workers eval …`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from umwelten.fleet.ray_carrier import RayCarrier

if __name__ == "__main__":
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    defaults = RayCarrier.__init__.__kwdefaults__
    defaults["maker"] = "null_worker:make_worker"
    sys.argv[0] = "umwelten"
    runpy.run_module("umwelten", run_name="__main__")
