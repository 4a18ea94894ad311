"""The forms of questions: each has a place for what it asks about."""

from datamodules.text.dialogue_forms import FOLLOW_UPS, FORMS


def test_each_form_has_all_places_and_each_kind_all_splits() -> None:
    for kind, forms in FORMS.items():
        places = ("{0}", "{1}") if kind in ("weekday", "sum") else ("{0}",)
        assert set(forms) == {"train", "val", "test"}
        assert all(form.count(place) == 1 for part in forms.values() for form in part for place in places)
    assert all(form.count("{0}") == 1 for part in FOLLOW_UPS.values() for form in part)


def test_no_form_of_the_test_is_one_of_training_or_validation() -> None:
    for forms in (*FORMS.values(), FOLLOW_UPS):
        assert not set(forms["test"]) & {*forms["train"], *forms["val"]} and not set(forms["val"]) & set(forms["train"])
