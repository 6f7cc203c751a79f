"""Where providers tell of tasks."""

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import record, text


def _entry(name: str, method: str) -> Entry:
    return Entry(
        operation=f"callbacks.{name}",
        title=f"A provider tells of a task ({method})",
        about="For providers, not for callers: the address is made for one task and given to its provider. Whatever else "
        "is asked gets 404.",
        answer=record({}),
        places={"task": text("The task's id.", least=1), "secret": text("Known to the provider alone.", least=1)},
        examples=(Example(title="An address", path={"task": "task_01J9Z6V3Q8", "secret": "of-the-provider"}),),
        fails=(404,),
    )


PAGE = Page(
    title="Callbacks of providers",
    about="Open to whoever has the address, which only the provider is told.",
    entries=(_entry("post", "POST"), _entry("get", "GET")),
    schemas={},
)
