"""What a look-up says beside its model: that several tasks were compared, and what makes a model where none fits."""

import json
import logging

import pytest

import zoo
from supernet.errors import InvalidQuery, NoModelFits, UnknownName
from zoo.cli import main

BOARD = "stm32f746-tflm-cmsis-nn"
MAKES = "; or give specialize (--specialize), which searches a supernet for one and needs the extra train\n"


def test_a_model_that_is_named_as_a_task_is_told():
    name = zoo.find("kws")[0].name
    with pytest.raises(UnknownName, match=f"no model for task '{name}' in this hub: it is a model; give name='{name}'"):
        zoo.get(name)


def test_a_look_up_without_a_task_works_and_says_how_to_name_one(capsys, caplog):
    with caplog.at_level(logging.WARNING):
        model = zoo.get(max_flash="40kB")
    fits = zoo.find(max_flash="40kB")
    tasks = sorted({entry.task for entry in fits})
    assert (model.entry, model.tasks) == (fits[0], tuple(tasks))
    assert len(tasks) > 2
    [said] = [one for one in caplog.messages if "task" in one]
    assert said == (
        f"no task was named, and models of {len(tasks)} tasks fit ({', '.join(tasks)}), whose accuracies cannot be "
        f"compared: {model.name} is for {model.task}; name one by task, such as --task kws"
    )
    assert main(["get", "--max-flash", "40kB", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == tasks


@pytest.mark.parametrize(
    "query",
    [
        {"task": "kws"},
        {"name": zoo.find("aec")[0].name},
        {"words": ["stop"]},
        {"max_flash": f"{zoo.find('esc10', bits=2)[-1].flash_bytes}"},  # which those of one task alone keep
        {"device": BOARD, "max_latency_ms": 9, "min_accuracy": 0.8},
    ],
    ids=["task", "name", "words", "limit", "device"],
)
def test_where_one_task_is_meant_nothing_is_said(query, caplog, capsys):
    with caplog.at_level(logging.WARNING):
        model = zoo.get(**query)
    assert model.tasks == ()
    assert not [one for one in caplog.messages if "no task was named" in one]


@pytest.mark.parametrize("name", ["cheaper", "specialize", "unproven", "sure", "ignore_limits"])
def test_a_text_is_no_truth(name):
    with pytest.raises(InvalidQuery, match=f"{name} = 'no' is not possible: give True or False"):
        zoo.get("kws", device="stm32f746-tflm-cmsis-nn", max_false_alarms=100, **{name: "no"})


def test_what_is_cheaper_within_noise_is_of_the_same_task():
    """Accuracies of others are of other clips, whatever their interval."""
    for limit in ("20kB", "30kB", "40kB", "70kB", "1MB"):
        model = zoo.get(max_flash=limit)
        own = zoo.get(model.task, max_flash=limit)
        assert (model.name, model.rivals) == (own.name, own.rivals)
        assert zoo.get(max_flash=limit, cheaper=True).task == model.task


def test_where_no_model_fits_a_search_of_a_supernet_is_named(capsys):
    assert main(["get", "--task", "kws", "--max-flash", "14kB"]) == 1
    assert capsys.readouterr().err.endswith(f"or loosen another constraint{MAKES}")
    with pytest.raises(NoModelFits) as error:
        zoo.get("kws", max_flash="14kB", words=["stop"])
    assert error.value.__notes__ == [MAKES.strip("; \n")]


@pytest.mark.parametrize(
    "query",
    [
        {"max_flash": "1kB"},
        {"task": "jarvis", "max_flash": "1kB"},
        {"task": "kws", "max_flash": "1kB", "licence": "cc-by-*"},
        {"task": "kws", "max_flash": "1kB", "unproven": True, "max_false_alarms": 100},
        {"task": "commands", "max_flash": "1kB", "words": ["stop", "jarvis"]},
    ],
    ids=["no task", "no supernet", "licence", "detection", "words"],
)
def test_no_search_is_named_that_would_be_refused(query):
    with pytest.raises(NoModelFits) as error:
        zoo.get(**query)
    assert not hasattr(error.value, "__notes__")


def test_a_hub_without_supernets_names_none(tmp_path):
    zoo.sync(zoo.Hub().folder, tmp_path / "hub", name="kws-temporal-0.12M-*")
    with pytest.raises(NoModelFits) as error:
        zoo.get("kws", max_flash="1kB", hub=tmp_path / "hub")
    assert not hasattr(error.value, "__notes__")
