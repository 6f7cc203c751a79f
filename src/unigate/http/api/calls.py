"""What `/api/usage` and `/api/requests` share: which calls are wanted, and whose may be seen."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unigate.http.api.fields import TimeIn
from unigate.http.api.pages import Listed
from unigate.http.api.who import Who
from unigate.manage.call_filter import CallFilter

Ended = Literal["completed", "failed", "empty", "upstream_broken", "caller_left", "out_of_funds"]


class CallQuery(BaseModel):
    """Which calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str | None = Field(None, description="By name or id.")
    key: str | None = Field(None, description="By name or id.")
    operation: str | None = None
    model: str | None = None
    channel: str | None = Field(None, description="By name or id; for operators only.")
    ended: Ended | None = None
    since: TimeIn | None = Field(None, description="Admitted at or after.")
    until: TimeIn | None = Field(None, description="Admitted before.")

    def wanted(self) -> CallFilter:
        """The filter that it is."""
        return CallFilter(
            user=self.user,
            key=self.key,
            operation=self.operation,
            model=self.model,
            channel=self.channel,
            ended=self.ended,
            since=self.since,
            until=self.until,
        )


class CallList(Listed, CallQuery):
    """A page of them."""


def own(who: Who) -> str | None:
    """The user whose calls alone the caller may see, None: all."""
    return None if who.may("operator") else who.user_id
