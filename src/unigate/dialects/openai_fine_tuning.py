"""OpenAI's fine-tuning jobs, their events and checkpoints; kept by the provider.

https://platform.openai.com/docs/api-reference/fine-tuning
"""

from functools import partial

from unigate.dialects import openai_passed
from unigate.dialects.openai_errors import write_error

__all__ = ["OPERATIONS", "write_error"]

_row = partial(
    openai_passed.row,
    "fine_tuning",
    "fine_tuning_job",
    shows_files=("training_file", "validation_file"),
    shows_models=("fine_tuned_model",),
)
_GRADERS = ("method.reinforcement.grader.model", "method.reinforcement.grader.graders.*.model")

OPERATIONS = (
    _row(
        "create",
        "POST /fine_tuning/jobs",
        body="json",
        files=("training_file", "validation_file"),
        models=("model", *_GRADERS),
    ),
    _row("list", "GET /fine_tuning/jobs"),
    _row("get", "GET /fine_tuning/jobs/{id}"),
    _row("cancel", "POST /fine_tuning/jobs/{id}/cancel"),
    _row("pause", "POST /fine_tuning/jobs/{id}/pause"),
    _row("resume", "POST /fine_tuning/jobs/{id}/resume"),
    _row("events", "GET /fine_tuning/jobs/{id}/events", shows_files=(), shows_models=()),
    _row(
        "checkpoints",
        "GET /fine_tuning/jobs/{id}/checkpoints",
        shows_files=(),
        shows_models=("data.*.fine_tuned_model_checkpoint",),
    ),
)
