"""Reference: something kept that a body names by its id."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a body names a thing of its caller's."""

    #: `file`: kept by ourselves, and copied to where the call goes. Others (`vector_store`, `conversation`, `container`)
    #: are kinds of bindings: only one channel and credential know the thing.
    kind: str
    id: str
    #: The member that names it.
    param: str
