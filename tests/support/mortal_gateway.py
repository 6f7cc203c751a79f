"""`unigate serve` with terms so short that a node which was killed is declared dead within a test."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.quick_gateway import main
from unigate.spec.terms import Terms

#: R is 12 s in place of 690 s. Holds may take long where tests share a processor.
MORTAL = Terms(silence=6.0, longest_call=5.0, grace=1.0, beat=0.25, hold_wait=15.0)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], terms=MORTAL))
