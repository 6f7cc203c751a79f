"""Jobs that tune a model: how far one is, what it tells meanwhile, and what comes of it.

Nothing is learned; a job goes through its states in about a second and a half, and can be stopped on its way.
https://platform.openai.com/docs/api-reference/fine-tuning/object
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from unigate.base import clock
from unigate.base.clock import Seconds
from unigate.sandbox.forms import platform
from unigate.sandbox.forms.tuning_file import Examples
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.jobs import Job

#: Seconds at the usual speed at which the files are validated, the work begins, and it is done.
_VALIDATED, _STARTED, _DONE = 0.2, 0.4, 1.4
_LAST = ("succeeded", "failed", "cancelled")
#: Steps that are told of, and epochs whose models are kept.
_TOLD, _KEPT = 10, 3


@dataclass(slots=True, kw_only=True, eq=False)
class Tuning:
    """One job."""

    id: str
    #: Its model, by its dated name.
    base: str
    #: What the caller asked for, as it is shown.
    asked: Object
    training: Examples
    validation: Examples | None
    epochs: int
    batch: int
    suffix: str
    #: Faults of those who ask after it, and its speed.
    job: Job
    #: Makes the file of results from its lines; gives its id.
    publish: Callable[[bytes], str]
    status: str = "validating_files"
    error: Object | None = None
    result: str | None = None
    events: list[Object] = field(default_factory=list)
    checkpoints: list[Object] = field(default_factory=list)
    made_ms: int = field(default_factory=clock.now_ms)
    ended_ms: int = 0
    _tail: str = field(default_factory=lambda: platform.letters_id("", 8))
    _passed: Seconds = 0.0
    _since: Seconds | None = field(default_factory=clock.monotonic)
    #: What is still to come: seconds of work -> what happens then.
    _ahead: list[tuple[Seconds, Callable[[], None]]] = field(default_factory=list)
    #: The moment of what happens now.
    _now_ms: int = 0
    _before: str = ""

    def __post_init__(self) -> None:
        """Plan all that will happen."""
        self._now_ms = self.made_ms
        self.tell(f"Created fine-tuning job: {self.id}")
        self.tell(f"Validating training file: {self.asked['training_file']}")
        work = [(_VALIDATED, self._validate), (_STARTED, self._start), *self._training(), (_DONE, self._succeed)]
        at = self.job.fault.get("fail-at")
        if at is not None:
            work.append((_DONE * at / 100, self._break))
        self._ahead = sorted(work, key=lambda one: one[0])

    @property
    def steps(self) -> int:
        """How many steps the work has."""
        return max(1, self.epochs * math.ceil(self.training.count / self.batch))

    @property
    def model(self) -> str:
        """The name of the model that comes of it."""
        return f"ft:{self.base}:sandbox:{self.suffix}:{self._tail}"

    def look(self) -> str:
        """Its status now."""
        passed = self._elapsed()
        while self._ahead and self.status not in (*_LAST, "paused") and self._ahead[0][0] <= passed:
            at, happens = self._ahead.pop(0)
            self._now_ms = clock.now_ms() - round((passed - at) / self.job.speed * 1000)
            happens()
        self._now_ms = clock.now_ms()
        return self.status

    def pause(self) -> None:
        """Stop for now."""
        self._passed, self._since = self._elapsed(), None
        self._before, self.status = self.status, "paused"
        self.tell("Fine-tuning job paused")

    def resume(self) -> None:
        """Go on."""
        self._since, self.status = clock.monotonic(), self._before
        self.tell("Fine-tuning job resumed")

    def cancel(self) -> None:
        """End it."""
        self._end("cancelled")
        self.tell("Fine-tuning job cancelled", "warn")

    def tell(self, message: str, level: str = "info", data: Object | None = None) -> None:
        """Add an event."""
        self.events.append(
            {
                "object": "fine_tuning.job.event",
                "id": platform.letters_id("ftevent-", 24),
                "created_at": self._now_ms // 1000,
                "level": level,
                "message": message,
                "data": data or {},
                "type": "metrics" if data else "message",
            }
        )

    def _elapsed(self) -> Seconds:
        """Seconds of work, at the usual speed."""
        running = 0.0 if self._since is None else (clock.monotonic() - self._since) * self.job.speed
        stuck = self.job.fault.get("stuck")
        return min(self._passed + running, math.inf if stuck is None else _DONE * stuck / 100)

    def _validate(self) -> None:
        for name, examples in (("training", self.training), ("validation", self.validation)):
            if examples is not None and examples.wrong:
                told = f"The job failed due to an invalid {name} file. {examples.wrong}"
                self._fail(f"invalid_{name}_file", told, f"{name}_file")
                return
        self.status = "queued"
        self.tell("Files validated, moving job to queued state")

    def _start(self) -> None:
        self.status = "running"
        self.tell("Fine-tuning job started")

    def _training(self) -> list[tuple[Seconds, Callable[[], None]]]:
        """Steps that are told of, and models that are kept on the way, in the order of their time."""
        told = sorted({max(1, self.steps * n // _TOLD) for n in range(1, _TOLD + 1)})
        kept = [self.steps * epoch // self.epochs for epoch in range(1, self.epochs + 1)][-_KEPT:]
        work = [(step, lambda step=step: self._step(step)) for step in told]
        work += [(step, lambda step=step: self._keep(step)) for step in dict.fromkeys(kept) if step]
        span = _DONE - _STARTED
        return [(_STARTED + span * step / (self.steps + 1), happens) for step, happens in work]

    def metrics(self, step: int) -> Object:
        """What is measured at a step: it falls, and rises, as it should."""
        share = step / self.steps
        loss, right = round(2.0 * math.exp(-2.5 * share), 4), round(1 - 0.6 * math.exp(-2.5 * share), 4)
        found: Object = {"step": step, "train_loss": loss, "train_mean_token_accuracy": right}
        if self.validation is not None:
            found |= {"valid_loss": round(loss * 1.1, 4), "valid_mean_token_accuracy": round(right * 0.95, 4)}
        return found

    def _step(self, step: int) -> None:
        found = self.metrics(step)
        told = f"Step {step}/{self.steps}: training loss={found['train_loss']}"
        self.tell(told, data={**found, "total_steps": self.steps})

    def _keep(self, step: int) -> None:
        last = step == self.steps
        self.checkpoints.append(
            {
                "object": "fine_tuning.job.checkpoint",
                "id": platform.letters_id("ftckpt_", 24),
                "created_at": self._now_ms // 1000,
                "fine_tuned_model_checkpoint": self.model if last else f"{self.model}:ckpt-step-{step}",
                "fine_tuning_job_id": self.id,
                "metrics": self.metrics(step),
                "step_number": step,
            }
        )
        self.tell(f"Checkpoint created at step {step}")

    def _succeed(self) -> None:
        names = list(self.metrics(1))
        rows = [",".join(str(value) for value in self.metrics(step).values()) for step in range(1, self.steps + 1)]
        self.result = self.publish("\n".join([",".join(names), *rows, ""]).encode())
        self.tell(f"New fine-tuned model created: {self.model}")
        self._end("succeeded")
        self.tell("The job has successfully completed")

    def _break(self) -> None:
        self._fail("server_error", "The job failed due to an internal error.", None)

    def _fail(self, code: str, message: str, param: str | None) -> None:
        self.error = {"code": code, "message": message, "param": param}
        self._end("failed")
        self.tell(message, "error")

    def _end(self, status: str) -> None:
        self.status, self.ended_ms = status, self._now_ms

    def shown(self) -> Object:
        """The job as the vendor tells it, as it stands now."""
        self.look()
        return self.row()

    def row(self) -> Object:
        """The same as it stood when it was last looked at, or made."""
        done = self.status == "succeeded"
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": self.base,
            "created_at": self.made_ms // 1000,
            "finished_at": self.ended_ms // 1000 or None,
            "fine_tuned_model": self.model if done else None,
            "organization_id": "org-sandbox",
            "result_files": [self.result] if self.result else [],
            "status": self.status,
            "trained_tokens": self.training.tokens * self.epochs if done else None,
            "error": self.error,
            "estimated_finish": None,
            "user_provided_suffix": self.suffix or None,
            **self.asked,
        }
