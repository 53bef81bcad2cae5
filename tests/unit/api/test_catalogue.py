"""The catalogue is found by name, and says what a setting may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streammonitor_api.catalogue import SettingInfo, camel_case, catalogue
from streammonitor_api.errors import InputError

LEVEL = SettingInfo("level", "float", -60.0, "dBFS", -100.0, -20.0, "a level", "the field")


def test_catalogue_of_this_version_tells_the_defaults_of_black() -> None:
    black = catalogue()["video-black"]

    assert black.what == "The picture is black."
    assert black.tracks == ("video",)
    assert (black.threshold, black.unit) == (0.98, "share")
    assert (black.alarm_after_s, black.clear_after_s) == (2.0, 1.0)
    assert black.setting("level").default == 0.10
    assert "FFmpeg" in black.source


def test_unknown_detector_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError) as raised:
        catalogue().find("video-blak")

    assert str(raised.value) == 'no detector "video-blak"; did you mean "video-black"?'


def test_unknown_setting_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError) as raised:
        catalogue()["video-black"].setting("shares")

    assert str(raised.value) == 'video-black has no setting "shares"; did you mean "share"?'


@pytest.mark.parametrize(
    ("minimum", "maximum", "text"),
    [
        (-100.0, -20.0, "-100 to -20 dBFS"),
        (0.5, None, "at least 0.5 dBFS"),
        (None, 1_000_000, "at most 1000000 dBFS"),
        (None, None, ""),
    ],
)
def test_range_is_written_with_its_unit(
    minimum: float | None, maximum: float | None, text: str
) -> None:
    assert replace(LEVEL, minimum=minimum, maximum=maximum).range == text


@pytest.mark.parametrize(("python", "resource"), [("share", "share"), ("min_run_ms", "minRunMs")])
def test_names_are_written_as_in_resources(python: str, resource: str) -> None:
    assert camel_case(python) == resource
