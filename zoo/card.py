"""Model cards: a package's `README.md` as the Hugging Face Hub understands it, made from its `config.json`."""

from __future__ import annotations

from supernet.cost import LayerCost, layer_costs, mean_bits
from supernet.families import inner_bits, layers
from supernet.space import Arch, LayerSpec
from zoo.entry import PREDICTED, precision

__all__ = ["card"]


SEVERAL = (
    "A clip may have several of these labels, or none: each has a score of its own, and a clip counts as right where \
exactly its labels score above one half."
)


def card(values: dict, devices=()) -> str:
    """The text of a card. values: a package's `config.json`, digests not needed."""
    arch = Arch.from_dict(values["arch"])
    costs, accuracy = values["costs"], values["accuracy"]
    weights, activations = inner_bits(arch)
    return "\n".join(
        [
            _metadata(values),
            f"# {values['name']}",
            "",
            f"A {values['task']} model of family `{arch.family}` with {precision(weights)} weights in inner layers and "
            f"{precision(activations)} activations; {mean_bits(arch)[0]:.2f} bits a weight in the mean of all layers.",
            "It is integers only: the same answer, bit for bit, wherever it runs.",
            "",
            "```python",
            "import zoo",
            f'model = zoo.get(name="{values["name"]}")',
            'model("clip.wav")',
            "```",
            "",
            "## What it knows",
            "",
            ", ".join(f"`{label}`" for label in values["labels"]) + ".",
            "",
            *([SEVERAL, ""] if values.get("multi_label") else []),
            *[f"{note}\n" for note in values["notes"]],
            "## Accuracy",
            "",
            f"Of the integer package, on {values['dataset']['name']} ({values['dataset']['version']}). "
            "The zoo ranks by validation; test is shown so that choosing does not tune on it.",
            "",
            f"| split | accuracy | {_interval_name(accuracy)} | clips |",
            "| --- | --- | --- | --- |",
            *[_accuracy_row(split, figures) for split, figures in _splits(accuracy)],
            "",
            "It streams: no layer looks ahead.\n" if values["streamable"] else "It answers on whole clips only.\n",
            *_detection(values.get("detection")),
            "## Costs of one answer",
            "",
            "| figure | value |",
            "| --- | --- |",
            f'| multiply-accumulates (MACs, "ops") | {costs["macs"]:,} |',
            f"| front end, beside them | {costs['frontend_macs']:,} |",
            f"| parameters | {costs['params']:,} |",
            f"| flash: weights as packed, biases, multipliers, shifts | {costs['weight_bytes']:,} bytes |",
            f"| runtime | {_runtime(costs)} |",
            "",
            "| layer | kind | bits | MACs | parameters | bytes |",
            "| --- | --- | --- | --- | --- | --- |",
            *[_layer_row(cost, spec) for cost, spec in zip(layer_costs(arch), layers(arch), strict=True)],
            "",
            "## How it was made",
            "",
            *[f"- {line}" for line in values["training"]["summary"]],
            "",
            "## Use and limits",
            "",
            *[f"- {line}" for line in values["limits"]],
            "",
            "## Licence and attribution",
            "",
            f"{values['licence']}. {values['attribution']}.",
            "",
        ]
    )


def _metadata(values: dict) -> str:
    """The card's YAML header."""
    name, dataset = values["name"], values["dataset"]
    results = [
        line
        for split, figures in _splits(values["accuracy"])
        if figures.get("basis") != PREDICTED
        for line in (
            "  - task: {type: audio-classification}",
            f"    dataset: {{name: {dataset['name']}, type: {dataset['id']}, split: {split}}}",
            f"    metrics: [{{type: accuracy, value: {figures['accuracy']:.4f}}}]",
        )
    ]
    lines = [
        "---",
        f"license: {values['licence']}",
        "library_name: earshot",
        "pipeline_tag: audio-classification",
        f"datasets: [{dataset['id']}]",
        f"tags: [{values['task']}, tinyml, quantized, once-for-all]",
        *(["model-index:", f"- name: {name}", "  results:", *results] if results else []),
        "---",
        "",
    ]
    return "\n".join(lines)


def _detection(figures: dict | None) -> list[str]:
    """How the model is used in a stream, where that was chosen."""
    if not figures:
        return []
    return [
        "## Detection in a stream",
        "",
        f"A window of one clip each {figures['hop_ms']} ms; scores averaged over {figures['smoothing']} windows; a "
        f"label is detected from {figures['threshold']} on, then nothing for {figures['refractory_ms']} ms.",
        "",
        f"{figures['false_alarms_per_hour']:g} false alarms an hour on {figures['hours']:.2g} held-out hours of "
        f"negatives; {figures['recall']:.2%} of {figures['recall_clips']:,} validation clips found. The settings were "
        f"chosen on these clips and on {figures['chosen_on_hours']:.2g} other held-out hours.",
        "",
    ]


def _splits(accuracy: dict) -> list[tuple[str, dict]]:
    return [(split, accuracy[split]) for split in ("validation", "test") if split in accuracy]


def _interval_name(accuracy: dict) -> str:
    return "90 % interval of the prediction" if accuracy["validation"].get("basis") == PREDICTED else "95 % interval"


def _accuracy_row(split: str, figures: dict) -> str:
    low, high = figures["interval"]
    split += ", predicted, not measured" * (figures.get("basis") == PREDICTED)
    return f"| {split} | {figures['accuracy']:.2%} | {low:.2%} to {high:.2%} | {figures['clips']:,} |"


def _layer_row(cost: LayerCost, spec: LayerSpec) -> str:
    bits = spec.weight_bits if spec.has_weights else ""
    return f"| {cost.name} | {cost.kind} | {bits} | {cost.macs:,} | {cost.params:,} | {cost.weight_bytes:,} |"


def _runtime(costs: dict) -> str:
    return f"{costs['runtime_bytes']:,} bytes" if costs["runtime_bytes"] else "not measured yet, counted as 0 bytes"
