"""Reads and checks what a call says of a model to be tuned: base, files, method, options.

https://platform.openai.com/docs/api-reference/fine-tuning/create
"""

import re
import secrets
from typing import Any

from unigate.sandbox.forms import checks, platform, platform_files, tuning_file
from unigate.sandbox.forms.models import Models
from unigate.sandbox.forms.platform_files import Upload
from unigate.sandbox.forms.tuning import Tuning
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Stage

_TUNABLE = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-3.5-turbo", "o4-mini")
_TEXTS = ("davinci-002", "babbage-002")
_METHODS = ("supervised", "dpo", "reinforcement")
_CREATED = (
    *("model", "training_file", "validation_file", "hyperparameters", "method", "suffix", "seed"),
    *("integrations", "metadata"),
)
_SUFFIX = re.compile(r"[A-Za-z0-9_-]*")
_USUAL_EPOCHS, _MOST_EPOCHS = 3, 50
_MOST_BATCH = 256
_LONGEST_SUFFIX = 64
_MOST_SEED = 2_147_483_647
_NO_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$|-\d{4}$")


def create(call: Call, models: Models) -> Tuning:
    """The job that a call asks for; VendorError as the vendor would refuse it."""
    body = platform.body(call, _CREATED)
    base = _base(checks.text(body, "model", "model", required=True), models)
    kind, method, options = _method(body, base)
    training = _file(call, checks.text(body, "training_file", "training_file", required=True), "training_file")
    wanted = checks.text(body, "validation_file", "validation_file")
    validation = _file(call, wanted, "validation_file") if wanted else None
    suffix = platform.longest(checks.text(body, "suffix", "suffix"), "suffix", _LONGEST_SUFFIX)
    if not _SUFFIX.fullmatch(suffix):
        raise checks.refuse(
            "Invalid 'suffix': only letters, digits, '-' and '_' are allowed.", "suffix", "invalid_value"
        )
    seed = checks.integer(body, "seed", 0, _MOST_SEED)
    metadata = platform.metadata(body.get("metadata"))
    examples = tuning_file.read(platform_files.read(call.world, training), kind)
    epochs = _number(options, "n_epochs", _MOST_EPOCHS) or _USUAL_EPOCHS
    batch = _number(options, "batch_size", _MOST_BATCH) or max(1, examples.count // 500)
    settled = {
        "n_epochs": epochs,
        "batch_size": batch,
        "learning_rate_multiplier": _rate(options) or 1.8,
        **{
            name: value
            for name, value in options.items()
            if name not in ("n_epochs", "batch_size", "learning_rate_multiplier")
        },
    }
    if kind != "text":
        method = {"type": kind, kind: {**(method.get(kind) or {}), "hyperparameters": settled}}
    id = platform.letters_id("ftjob-", 24)
    return Tuning(
        id=id,
        base=base,
        asked={
            "training_file": training.id,
            "validation_file": validation.id if validation else None,
            "hyperparameters": settled,
            "method": method,
            "seed": secrets.randbelow(_MOST_SEED) if seed is None else seed,
            "integrations": checks.listed(checks.given(body, "integrations", []), "integrations"),
            "metadata": metadata or None,
        },
        training=examples,
        validation=tuning_file.read(platform_files.read(call.world, validation), kind, least=1) if validation else None,
        epochs=epochs,
        batch=batch,
        suffix=suffix,
        job=platform.begun(call, id, ((0.0, Stage(name="running")),), Stage(name="failed", ended=True)),
        publish=lambda data: (
            platform_files.add(
                call.world, call.credential, data, filename="step_metrics.csv", purpose="fine-tune-results"
            ).id
        ),
    )


def _base(name: str, models: Models) -> str:
    model = models.find(name)
    plain = name.split(":")[1] if name.startswith("ft:") and ":" in name[3:] else name
    if model is None or _NO_DATE.sub("", plain) not in (*_TUNABLE, *_TEXTS):
        told = f"Model {name[:100]} is not available for fine-tuning or does not exist."
        raise checks.refuse(told, "model", "model_not_available")
    return model.snapshot or model.name


def _method(body: Object, base: str) -> tuple[str, Object, Object]:
    """The kind of examples, the method as it was given, and its options."""
    given = checks.mapping(checks.given(body, "method", {"type": "supervised"}), "method")
    kind = checks.one_of(given.get("type"), "method.type", _METHODS)
    inner = checks.mapping(checks.given(given, kind, {}), f"method.{kind}")
    if kind == "reinforcement" and not isinstance(inner.get("grader"), dict):
        raise checks.missing("method.reinforcement.grader")
    options = inner.get("hyperparameters") or body.get("hyperparameters") or {}
    text = _NO_DATE.sub("", base) in _TEXTS
    return "text" if text else kind, {"type": kind} if text else given, checks.mapping(options, "hyperparameters")


def _number(options: Object, name: str, most: int) -> int | None:
    """A whole number; None where it is left to the vendor."""
    if options.get(name) == "auto":
        return None
    return checks.integer(options, name, 1, most, f"hyperparameters.{name}")


def _rate(options: Object) -> float | None:
    value: Any = options.get("learning_rate_multiplier")
    if value is None or value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        param = "hyperparameters.learning_rate_multiplier"
        raise checks.refuse(f"Invalid '{param}': expected a number above 0.", param, "invalid_value")
    return float(value)


def _file(call: Call, id: str, param: str) -> Upload:
    upload = platform_files.find(call.world, call.credential, platform.begins(id, param, "file"))
    if upload is None:
        raise checks.refuse(f"invalid {param}: {id[:100]}", param, "invalid_file")
    if upload.purpose != "fine-tune":
        told = f"File '{upload.id}' must have the purpose 'fine-tune', but has '{upload.purpose}'."
        raise checks.refuse(told, param, "invalid_file")
    return upload
