"""A run goes on with the settings its state was learnt with; what takes no part in that state may change."""

import pytest

from recognizer.errors import CheckpointError
from recognizer.optimiser import OPTIMISERS
from recognizer.resuming import SHAPE, follows, readable
from recognizer.schedule import SCHEDULES

KEPT = {
    "alphabet": {"characters": ["a"]},
    "phones": None,
    "frontend": {"name": "speech", "bands": 16},
    **dict.fromkeys(SHAPE, 3),
    "layer": "blstm",
    "optimiser": "adamw",
    "schedule": "cosine",
    "lr": 0.1,
}


def refused(check, kept, mine):
    try:
        check(kept, mine)
    except CheckpointError as error:
        return str(error)
    return ""


def test_the_same_settings_go_on():
    follows(KEPT, dict(KEPT))
    readable(KEPT, dict(KEPT))


@pytest.mark.parametrize("name", SHAPE)
def test_whatever_gives_weights_their_shape_is_named_with_both_values(name):
    found = refused(follows, KEPT, KEPT | {name: 4})
    assert found.startswith(f"--resume: model.{name} is 4, and in the checkpoint {KEPT[name]}; ")


def test_a_name_is_the_same_with_settings_and_without():
    assert not refused(follows, KEPT, KEPT | {"layer": {"name": "blstm"}})
    assert refused(follows, KEPT, KEPT | {"layer": {"name": "blstm", "chunk": 8}})


def test_frames_are_the_same():
    assert "data.frontend.bands is 20" in refused(follows, KEPT, KEPT | {"frontend": {"name": "speech", "bands": 20}})
    assert "data.frontend.name is pen" in refused(follows, KEPT, KEPT | {"frontend": {"name": "pen"}})


def test_what_the_state_does_not_depend_on_may_change():
    assert not refused(follows, KEPT, KEPT | {"lr": 0.2})


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_an_optimiser_takes_over_from_itself_only(optimiser):
    assert bool(refused(follows, KEPT, KEPT | {"optimiser": optimiser})) == (optimiser != KEPT["optimiser"])


@pytest.mark.parametrize("old", SCHEDULES)
@pytest.mark.parametrize("new", SCHEDULES)
def test_plateau_and_the_others_do_not_take_over_from_each_other(old, new):
    found = refused(follows, KEPT | {"schedule": old}, KEPT | {"schedule": new})
    assert bool(found) == ((old == "plateau") != (new == "plateau"))


@pytest.mark.parametrize("name", [*SHAPE, "optimiser", "schedule"])
def test_a_checkpoint_that_is_older_than_a_setting_goes_on(name):
    assert not refused(follows, {key: value for key, value in KEPT.items() if key != name}, KEPT)


@pytest.mark.parametrize(("name", "value"), [("alphabet", {"characters": ["b"]}), ("phones", ["AH"])])
def test_other_labels_are_refused(name, value):
    assert "the checkpoint has other" in refused(readable, KEPT, KEPT | {name: value})
