"""`unigate` whose store may take its time, for tests that count any 503 as a failure, on a machine that stands still."""

from unigate.cli import main
from unigate.spec.terms import Terms
from unigate.store.open import connect

#: Seconds in place of two, for each transaction to begin, each of its statements, and each hold.
PATIENCE = 20.0

if __name__ == "__main__":
    assert connect.__kwdefaults__ is not None
    connect.__kwdefaults__.update(wait=PATIENCE, statement=PATIENCE)
    assert Terms.__init__.__kwdefaults__ is not None
    Terms.__init__.__kwdefaults__.update(hold_wait=PATIENCE)
    main()
