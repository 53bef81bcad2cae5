"""All that a recipe can be made of, for people who have to choose."""

from __future__ import annotations

from collections.abc import Iterator

from streammonitor_worker.synth.clip import CONTAINERS
from streammonitor_worker.synth.defects import SERVER_DEFECTS, STREAM_DEFECTS, rules_of
from streammonitor_worker.synth.options import Rules
from streammonitor_worker.synth.picture_defects import PICTURE_DEFECTS
from streammonitor_worker.synth.recipe import (
    AUDIO_CODECS,
    LAYOUTS,
    PIXEL_FORMATS,
    VIDEO_CODECS,
)
from streammonitor_worker.synth.scenes import SCENES
from streammonitor_worker.synth.sound_defects import SOUND_DEFECTS
from streammonitor_worker.synth.sounds import SOUNDS

_DEFECTS = (*PICTURE_DEFECTS, *SOUND_DEFECTS, *STREAM_DEFECTS, *SERVER_DEFECTS)


def catalogue() -> dict[str, list[str]]:
    """List what there is under headings; defects with their options and defaults."""
    return {
        "pictures": list(SCENES),
        "sounds": list(SOUNDS),
        "video codecs": list(VIDEO_CODECS),
        "audio codecs": list(AUDIO_CODECS),
        "pixel formats": list(PIXEL_FORMATS),
        "audio layouts": list(LAYOUTS),
        "files": sorted(CONTAINERS),
        "defects": [" ".join([name, *_told(rules_of(name))]) for name in _DEFECTS],
    }


def _told(rules: Rules) -> Iterator[str]:
    """Write options as an injection has them, with what else is allowed."""
    for name, rule in rules.items():
        others = [word for word in rule.words if word != rule.default]
        yield f"{name}={'|'.join([str(rule.default), *others])}"
