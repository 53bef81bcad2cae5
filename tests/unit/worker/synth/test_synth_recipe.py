"""Recipes and injections: what is understood, what is refused, and in which words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.synth import Injection, Recipe, parse_injection
from streammonitor_worker.synth.defects import check_injections, spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("video-freeze@5+3", Injection("video-freeze", 5, 3)),
        ("audio-silence@0.25+1.5", Injection("audio-silence", 0.25, 1.5)),
        ("timestamp-jump@7", Injection("timestamp-jump", 7)),
        ("video-flat@1+2,colour=blue", Injection("video-flat", 1, 2, {"colour": "blue"})),
        (
            "audio-clipping@1+2,gain_db=12.5,track=1",
            Injection("audio-clipping", 1, 2, {"gain_db": 12.5, "track": 1}),
        ),
    ],
)
def test_injection_reads_and_writes_the_same_text(text: str, expected: Injection) -> None:
    assert parse_injection(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "video-freeze", "video-freeze@", "video-freeze@-1+2", "video-freeze@5+3s", "@5+3"]
)
def test_injection_in_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"write DETECTOR@AT\+DURATION .* video-freeze@5\+3"):
        parse_injection(text)


@pytest.mark.parametrize(
    ("injection", "message"),
    [
        ("video-freze@5+3", 'did you mean "video-freeze"'),
        ("video-flat@5+3,color=green", 'no option "color"; did you mean "colour"'),
        ("video-flat@5+3,noise=much", 'noise is "much"; use a number'),
        ("audio-phase@5+3,level=3", 'no option "level"'),
        ("video-freeze@20+3", "begins after the stream's end"),
        ("video-freeze@8+3", r"lasts beyond the stream's end; use at most \+2"),
        ("video-freeze@8", r"say how long, such as video-freeze@8\+3"),
        ("stream-stall@2+3", "serve it live"),
        ("audio-silence@2+3,track=1", "no audio track 1"),
        ("audio-channel-loss@2+3,channel=2", "there is no channel 2; use 0 to 1"),
        ("video-flat@2+3,colour=pink", 'colour is "pink"; known are: blue, green'),
        ("video-colour-bars@2+3,kind=ebbu", 'did you mean "ebu"'),
        ("video-block-corruption@2+3,share=2", 'share is "2"; use 0.001 to 1'),
        ("continuity-error@2+3,every_s=0", 'every_s is "0"; use 0.001 to 3600'),
        ("format-change@2,width=1.5", 'width is "1.5"; use a whole number'),
        ("timestamp-jump@2,jump_s=1e300", "use -40000 to 40000"),
        ("timestamp-jump@9.99", "no picture begins after that"),
        ("video-black@2.01+0.01", "meets no whole sample"),
    ],
)
def test_impossible_injection_is_refused(injection: str, message: str) -> None:
    recipe = Recipe(duration_s=10, injections=[parse_injection(injection)])

    with pytest.raises(InputError, match=message):
        check_injections(recipe)


def test_overlap_on_one_track_is_refused_and_on_two_is_not() -> None:
    freeze, black = Injection("video-freeze", 2, 3), Injection("video-black", 4.9, 2)
    silence = Injection("audio-silence", 3, 3)

    check_injections(Recipe(duration_s=10, injections=[freeze, silence]))
    with pytest.raises(InputError, match=r"video-black@4.9\+2: overlaps with video-freeze@2\+3"):
        check_injections(Recipe(duration_s=10, injections=[black, freeze]))


@pytest.mark.parametrize(
    ("recipe", "injection", "message"),
    [
        ({"picture": None}, "video-black@1+1", "there is no picture"),
        ({"sound": None}, "audio-silence@1+1", "there is no sound"),
        ({"audio_layout": "mono"}, "audio-phase@1+1", "needs 2 channels"),
    ],
)
def test_defect_needs_its_track(recipe: dict[str, str], injection: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_injections(
            Recipe(duration_s=5, injections=[parse_injection(injection)], **recipe)  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"duration_s": 0}, "duration 0"),
        ({"duration_s": float("inf")}, "duration inf"),
        ({"width": 4}, "size 4x720"),
        ({"height": 100_000}, "size 1280x100000"),
        ({"fps": Fraction(0)}, "fps 0"),
        ({"video_codec": "h265"}, 'video codec "h265": unknown; did you mean "h264"'),
        ({"audio_layout": "7.1"}, 'audio layout "7.1"'),
        ({"picture": None, "sound": None}, "neither picture nor sound"),
        ({"audio_rate": 1}, "audio rate 1"),
        ({"width": 161}, "h264 needs even sides"),
        ({"duration_s": 0.01}, "too short for a picture"),
        ({"seed": -1}, "seed -1"),
        ({"crf": 64}, "crf 64"),
        ({"video_bitrate": 0}, "bit rate 0"),
        ({"gop_s": 0}, "gop 0"),
        ({"slices": 4, "video_codec": "hevc"}, "above 1 with h264 only"),
        ({"first_timestamp_s": float("nan")}, "first timestamp nan"),
        ({"first_timestamp_s": 95444}, "first timestamp 95444"),
    ],
)
def test_impossible_recipe_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**{"duration_s": 5, **wrong})  # type: ignore[arg-type]


def test_span_begins_with_the_first_whole_picture() -> None:
    ntsc = Recipe(
        duration_s=10, fps=Fraction(30000, 1001), injections=[Injection("video-freeze", 2, 1)]
    )

    (span,) = spans(ntsc, "video")

    assert (span.first, span.last) == (60, 90)  # at 2.002 s and 3.003 s


def test_time_typed_with_three_decimals_means_its_picture() -> None:
    recipe = Recipe(duration_s=10, injections=[Injection("video-black", 1.033, 1.034)])

    (span,) = spans(recipe, "video")

    assert (span.first, span.last) == (31, 62)
