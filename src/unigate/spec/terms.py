"""Terms: every span of time, share and size by which the books are kept. Tests scale them down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Seconds, bytes, counts and shares; S and R are the letters by which the rules call two of them."""

    #: Between two beats of a process.
    beat: float = 1.0
    #: S: longest time without a confirmed beat in which a process still admits paid calls.
    silence: float = 30.0
    #: No call lasts longer; longer sessions settle in steps.
    longest_call: float = 600.0
    #: Added to S and the longest call before a node counts as dead.
    grace: float = 60.0
    #: Longest wait for a hold before a call gets 503.
    hold_wait: float = 2.0
    #: Longest recall, and for how long whoever was recalled takes no lease on that wallet.
    recall_wait: float = 2.0
    #: Between two looks for recalls, or for their answers.
    recall_poll: float = 0.1
    #: Pause before a transaction whose outcome is not known is tried again, longer each time up to a beat.
    retry: float = 0.05
    #: For how long a proven refusal is remembered.
    refusal: float = 0.25
    #: A lease is at most 1/lease_share of what is spendable, unless the process is alone.
    lease_share: int = 4
    #: A lease covers about this many seconds of its key's spending,
    lease_seconds: int = 10
    #: and at least this many holds of the call that asks for it;
    lease_holds: int = 64
    #: where not even this many holds fit, a hold is taken for the one call.
    least_holds: int = 8
    #: A lease that nobody used for so long is given back.
    idle: float = 5.0
    #: Size of a journal segment,
    segment_bytes: int = 16 * 2**20
    #: and how much of a journal may wait to be moved before paid calls are refused.
    journal_bytes: int = 512 * 2**20
    #: Between two syncs of the journal to its disk; 0: left to the operating system.
    sync: float = 0.0
    #: Records in one transaction of the mover; at most 500.
    batch: int = 500
    #: Records that the mover moves per second while it keeps up.
    pace: int = 20_000
    #: A record of a living process that stays incomplete for so long is looked at closely.
    torn: float = 1.0
    #: Between two looks of the mover at a journal that had nothing new,
    poll: float = 0.05
    #: and at the folder and the other nodes.
    scan: float = 0.5
    #: A lag from which on the mover no longer waits for idle time.
    lag: float = 2.0
    #: Nano-USD that may be lost on a user in a day before the operator is told and holds are taken at the maximum.
    daily_loss: int = 1_000_000_000
    #: The budgets' days begin at midnight of UTC plus so many minutes.
    offset_minutes: int = 0

    @property
    def death(self) -> float:
        """R: silence after which a process on another node counts as dead."""
        return self.silence + self.longest_call + self.grace
