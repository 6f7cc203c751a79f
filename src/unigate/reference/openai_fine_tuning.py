"""Fine-tuning: `/v1/fine_tuning/jobs`."""

from unigate.reference.page import Page
from unigate.reference.passed import PAGED, WHEN, Kept, page_of, shown_page
from unigate.reference.schema import ANYTHING, Schema, many, mapping, maybe, only, record, ref, text, whole
from unigate.reference.shared import METADATA, MODEL

_ID, _FILE = "ftjob-67ee0a1b2c3d", "file-01J9Z6V3Q9T2K4M8N0P2R4S6T8"
_KEPT = Kept(family="fine_tuning", places={"id": _ID})
_SHOWN = {
    "id": _ID,
    "object": "fine_tuning.job",
    "created_at": 1790000000,
    "finished_at": None,
    "model": "gpt-4o-mini-2024-07-18",
    "fine_tuned_model": None,
    "organization_id": "org-123",
    "status": "queued",
    "training_file": _FILE,
    "validation_file": None,
    "result_files": [],
    "hyperparameters": {"n_epochs": "auto"},
    "trained_tokens": None,
    "error": None,
    "seed": 1,
}
_SHOWN_EVENT = {
    "id": "ftevent-67ee0a1b2c3d",
    "object": "fine_tuning.job.event",
    "created_at": 1790000000,
    "level": "info",
    "message": "Fine-tuning job started",
    "type": "message",
}
_SHOWN_CHECKPOINT = {
    "id": "ftckpt_67ee0a1b2c3d",
    "object": "fine_tuning.job.checkpoint",
    "created_at": 1790000000,
    "fine_tuned_model_checkpoint": "ft:gpt-4o-mini:org:mine:67ee0a1b:ckpt-step-10",
    "fine_tuning_job_id": _ID,
    "metrics": {"step": 10, "train_loss": 0.4},
    "step_number": 10,
}
_FILE_ID = text("One of your files, with the purpose `fine-tune`.", least=1)
_PAGED: dict[str, Schema] = {name: PAGED[name] for name in ("limit", "after")}
PAGE = Page(
    title="Fine-tuning",
    about="Jobs that make a model of another one and a file of examples; run by the provider, at the operator's cost.",
    entries=(
        _KEPT.entry(
            "create",
            "Create a fine-tuning job",
            "It goes to a channel that serves the model, which gets a copy of the files.",
            ref("FineTuningJob"),
            _SHOWN,
            places="",
            request=ref("FineTuningRequest"),
            body={"model": "gpt-4o-mini-2024-07-18", "training_file": _FILE},
        ),
        _KEPT.entry(
            "list",
            "List fine-tuning jobs",
            "Those of the key's user; `metadata[NAME]=VALUE` shows only those with such a note.",
            page_of(ref("FineTuningJob")),
            shown_page(_SHOWN),
            places="",
            query=_PAGED,
        ),
        _KEPT.entry("get", "Get a fine-tuning job", "How far it is.", ref("FineTuningJob"), _SHOWN),
        _KEPT.entry(
            "cancel",
            "Cancel a fine-tuning job",
            "For good.",
            ref("FineTuningJob"),
            {**_SHOWN, "status": "cancelled"},
            posts=True,
        ),
        _KEPT.entry(
            "pause",
            "Pause a fine-tuning job",
            "Until it is resumed.",
            ref("FineTuningJob"),
            {**_SHOWN, "status": "paused"},
            posts=True,
        ),
        _KEPT.entry(
            "resume",
            "Resume a fine-tuning job",
            "One that was paused.",
            ref("FineTuningJob"),
            _SHOWN,
            posts=True,
        ),
        _KEPT.entry(
            "events",
            "List events",
            "What happened in a job, the newest first.",
            page_of(ref("FineTuningEvent")),
            shown_page(_SHOWN_EVENT),
            query=_PAGED,
        ),
        _KEPT.entry(
            "checkpoints",
            "List checkpoints",
            "Models that a job has made on its way.",
            page_of(ref("FineTuningCheckpoint")),
            shown_page(_SHOWN_CHECKPOINT),
            query=_PAGED,
        ),
    ),
    schemas={
        "FineTuningRequest": record(
            {
                "model": MODEL,
                "training_file": _FILE_ID,
                "validation_file": maybe(_FILE_ID),
                "suffix": maybe(text("Stands in the new model's name.", least=1, most=64)),
                "method": mapping(ANYTHING, "`supervised`, `dpo` or `reinforcement`, with its `hyperparameters`."),
                "hyperparameters": mapping(ANYTHING, "The older place of these."),
                "integrations": maybe(many(mapping(ANYTHING))),
                "seed": maybe(whole(low=0, high=2_147_483_647)),
                "metadata": METADATA,
            },
            needs=("model", "training_file"),
        ),
        "FineTuningJob": record(
            {
                "id": text(),
                "object": only("fine_tuning.job"),
                "created_at": WHEN,
                "finished_at": maybe(WHEN),
                "model": text(),
                "fine_tuned_model": maybe(text("The new model's name, once it is there.")),
                "status": text(
                    "`validating_files`, `queued`, `running`, `paused`, `succeeded`, `failed`, `cancelled`."
                ),
                "training_file": text(),
                "validation_file": maybe(text()),
                "result_files": many(text("A file of the provider's, which is not among yours.")),
                "trained_tokens": maybe(whole(low=0)),
                "error": maybe(mapping(ANYTHING)),
                "metadata": METADATA,
            },
            "A fine-tuning job.",
            needs=("id", "object", "created_at", "model", "status", "training_file"),
        ),
        "FineTuningEvent": record(
            {
                "id": text(),
                "object": only("fine_tuning.job.event"),
                "created_at": WHEN,
                "level": text(of=("info", "warn", "error")),
                "message": text(),
                "type": text(),
                "data": maybe(mapping(ANYTHING)),
            },
            "Something that happened in a job.",
            needs=("id", "object", "created_at", "level", "message"),
        ),
        "FineTuningCheckpoint": record(
            {
                "id": text(),
                "object": only("fine_tuning.job.checkpoint"),
                "created_at": WHEN,
                "fine_tuned_model_checkpoint": text(),
                "fine_tuning_job_id": text(),
                "metrics": mapping(ANYTHING),
                "step_number": whole(low=0),
            },
            "A model on its way.",
            needs=("id", "object", "created_at", "fine_tuned_model_checkpoint", "fine_tuning_job_id"),
        ),
    },
)
