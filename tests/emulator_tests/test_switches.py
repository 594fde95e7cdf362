"""Switches: every doubt has one, and each can be turned."""

import dataclasses

from tests.emulator import Switches
from tests.emulator_tests.client import ANNA, Scene


def test_every_switch_says_what_it_means() -> None:
    """In a sentence."""
    sentences = Switches.describe()
    assert sentences.keys() == {field.name for field in dataclasses.fields(Switches)}
    assert all(len(sentence) > 20 for sentence in sentences.values())


def test_each_variant_differs_in_one_switch_and_the_last_in_all() -> None:
    """So a test can run the mirror with every switch either way."""
    default = dataclasses.asdict(Switches())
    *single, (name, everything) = list(Switches.variants())
    for switch, variant in single:
        assert {key for key, value in dataclasses.asdict(variant).items() if value != default[key]} == {switch}
    assert name == "all"
    assert {key for key, value in dataclasses.asdict(everything).items() if value != default[key]} == {
        switch for switch, _ in single
    }


async def test_a_switch_works_at_once(scene: Scene) -> None:
    """What was shown before is shown anew."""
    scene.anna.add_contact({"displayName": "Zoë", "categories": ["a", "b"]})
    before = (await scene.client.get(f"{ANNA}/contacts")).rows[0]
    scene.emulator.switches.shuffle_categories = False
    scene.emulator.switches.empty_strings_instead_of_null = False
    after = (await scene.client.get(f"{ANNA}/contacts")).rows[0]
    assert (before["categories"], before["manager"]) == (["b", "a"], "")
    assert (after["categories"], after["manager"]) == (["a", "b"], None)
