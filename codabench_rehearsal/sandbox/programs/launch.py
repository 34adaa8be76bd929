"""Start the command of a job behind walls: `launch.py SPEC`, SPEC as JSON (`command.Spec`).

Standard library only, Python 3.9 or newer; Linux holds most walls, other systems some.
"""

import sys
from pathlib import Path

# Last, so that nothing beside our rooms can stand in for a standard module.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from codabench_rehearsal.sandbox.programs.jail import main

if __name__ == "__main__":
    main(sys.argv[1])
