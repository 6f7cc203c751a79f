"""Facts: what the gateway reads of a request; everything else is the vendor's to judge."""

from dataclasses import dataclass, field

from unigate.spec.reference import Reference

#: How the names of models begin that were made by fine-tuning.
TUNED = "ft:"


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a dialect's `read` found in a body."""

    model: str
    stream: bool = False
    #: How many answers are asked for (`n`).
    count: int = 1
    #: How many inputs stand side by side, each of which the model's input limit holds for.
    inputs: int = 1
    #: The caller's own limit of output tokens per answer, None where there is none.
    output_limit: int | None = None
    #: About how many tokens of the input the answers repeat before what is new (`echo`).
    echo: int = 0
    #: The most input tokens of the body, where the dialect found it while reading; 0: not looked for.
    most_input: int = 0
    #: The most of other units than tokens that the call can use: unit -> count.
    units: dict[str, int] = field(default_factory=dict)
    #: The input names content that it does not carry (URL, file id): held at the model's input limit.
    open_input: bool = False
    #: The caller asked for usage in the stream (`stream_options.include_usage`).
    usage_in_stream: bool = False
    #: The caller asked for `usage.cost` (`usage: {"include": true}`).
    include_cost: bool = False
    #: The smallest limit of output tokens that providers take.
    least_output: int = 1
    #: The provider is to keep the answer, so that the caller may come back to it.
    stored: bool = False
    #: The dialect may have to change the answer, since providers may not give it as it was asked for (`finish_answer`).
    finish: bool = False
    #: The caller does not wait for the answer: the call is a task (`Operation.within`).
    background: bool = False
    #: Pictures are asked for: the model may be yet to be chosen (`models`), and tasks may make them.
    pictures: bool = False
    #: Of a call that names no model: those that it means, the first best.
    models: tuple[str, ...] = ()
    #: Pictures are to be answered as addresses, where the provider answers with pictures only.
    links: bool = False
    #: Names of fields that were given and that some provider refuses (`Provider.refuses`).
    optional: tuple[str, ...] = ()
    #: Id of a kept answer that this call goes on from; "" where there is none.
    previous: str = ""
    #: Kept things that the body names, but for `previous`.
    references: tuple[Reference, ...] = ()
    #: The provider may make containers for the call, which are its caller's then.
    containers: bool = False
    #: Units that the prices of this call charge: set when they are known, before anything is sent.
    charged: frozenset[str] = frozenset()
    #: What price conditions (`when:`) may ask for, for example {"service_tier": "flex"}.
    conditions: dict[str, str | int] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """The call names things that only one place may know: what it goes on from, files and the like, a model of a user's."""
        return bool(self.previous or self.references or self.model.startswith(TUNED))
