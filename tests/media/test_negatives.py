"""What looks or sounds like a defect and is none: not one incident, from any detector.

First with the project's own scenes, then with pictures and sounds that FFmpeg's own program makes
and encodes, so that no detector is right only about the material it was made with.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streammonitor_worker.synth import Injection, Recipe, write_clip
from tests.support.foreign import encode, needs_ffmpeg
from tests.support.verdicts import incidents_of, told

CLIP = Recipe(duration_s=10, width=320, height=180, fps=Fraction(25), gop_s=2.0, sound=None)
NTSC = Fraction(30000, 1001)
COARSE: dict[str, Any] = {"crf": 36, "gop_s": 1.0}
POOR: dict[str, Any] = {"video_bitrate": 200_000, "gop_s": 4.0}
MPEG2: dict[str, Any] = {"video_codec": "mpeg2video", "video_bitrate": 600_000, "gop_s": 0.5}
HEVC: dict[str, Any] = {"video_codec": "hevc", "crf": 34}
VP9: dict[str, Any] = {"video_codec": "vp9", "video_bitrate": 250_000}

SCENES: list[tuple[str, str, dict[str, Any]]] = [
    ("dark", ".mp4", {}),
    ("dark", ".ts", MPEG2),
    ("dark", ".mp4", COARSE),
    ("logo-on-black", ".mp4", {}),
    ("logo-on-black", ".webm", VP9),
    ("credits", ".mp4", COARSE),
    ("credits", ".mkv", HEVC),
    ("fade", ".mp4", {"duration_s": 14}),
    ("fade", ".ts", {**MPEG2, "duration_s": 14}),
    ("pan", ".mp4", {}),
    ("pan", ".mkv", HEVC),
    ("grain", ".mp4", {}),
    ("grain", ".ts", MPEG2),
    ("pulldown", ".mp4", {"fps": NTSC}),
    ("pulldown", ".ts", {"fps": NTSC, "interlaced": True, **MPEG2}),
    ("pulldown", ".mp4", {"fps": NTSC, **COARSE}),
    ("letterbox", ".mp4", POOR),
    ("letterbox", ".mp4", {"full_range": True}),
    ("slide", ".mp4", {}),
    ("slide", ".mp4", COARSE),
    ("slide", ".ts", MPEG2),
    ("gradient", ".mp4", COARSE),
    ("gradient", ".webm", VP9),
    ("blocks", ".mp4", POOR),
    ("blocks", ".ts", MPEG2),
    ("cuts", ".mp4", COARSE),
    ("cuts", ".ts", MPEG2),
    ("sport", ".mp4", POOR),
    ("sport", ".mkv", HEVC),
    ("testcard", ".mp4", {"crf": 40}),
    ("testcard", ".mp4", {"video_codec": "mpeg4", "video_bitrate": 200_000}),
    ("testcard", ".mkv", {"variable_rate": True}),
]

SOUNDS: list[tuple[str, str, dict[str, Any]]] = [
    (sound, suffix, {"audio_codec": codec, **more})
    for sound, more in (
        ("speech", {}),
        ("music", {}),
        ("mono", {}),
        ("loud-music", {}),
        ("tone", {}),
        ("programme", {"audio_layout": "5.1"}),
    )
    for suffix, codec in ((".m4a", "aac"), (".wav", "pcm_s16le"), (".mka", "ac3"))
] + [
    ("loud-music", ".mp3", {"audio_codec": "mp3"}),
    ("loud-music", ".mka", {"audio_codec": "opus"}),
    ("speech", ".mka", {"audio_codec": "opus"}),
    ("programme", ".m4a", {"duration_s": 70}),
    ("speech", ".mp3", {"audio_codec": "mp3", "duration_s": 70}),
]


def named(case: tuple[str, str, dict[str, Any]]) -> str:
    name, suffix, changes = case
    return "-".join([name + suffix, *(f"{value}" for value in changes.values())])


@pytest.mark.parametrize("case", SCENES, ids=named)
def test_picture_without_defect_raises_nothing(
    case: tuple[str, str, dict[str, Any]], tmp_path: Path
) -> None:
    scene, suffix, changes = case
    path = tmp_path / f"clip{suffix}"
    write_clip(replace(CLIP, picture=scene, **changes), path)

    assert [told(incident) for incident in incidents_of(path)] == []


@pytest.mark.parametrize("case", SOUNDS, ids=named)
def test_sound_without_defect_raises_nothing(
    case: tuple[str, str, dict[str, Any]], tmp_path: Path
) -> None:
    sound, suffix, changes = case
    path = tmp_path / f"clip{suffix}"
    write_clip(replace(CLIP, picture=None, sound=sound, **{"duration_s": 20, **changes}), path)

    assert [told(incident) for incident in incidents_of(path)] == []


@pytest.mark.parametrize(
    "injection",
    [
        Injection("video-black", 4, 1.8),
        Injection("video-freeze", 4, 1.8),
        Injection("video-flat", 4, 0.8),
        Injection("video-colour-bars", 4, 1.8),
        Injection("video-black", 8.2, 1.8),
        Injection("video-freeze", 8.2, 1.8),
        Injection("audio-silence", 4, 1.8),
        Injection("audio-silence", 8.2, 1.8),
        Injection("audio-phase", 4, 1.8),
        Injection("audio-channel-loss", 4, 4.5),
    ],
    ids=str,
)
def test_what_is_over_before_the_alarm_raises_nothing(injection: Injection, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(replace(CLIP, sound="programme", injections=[injection]), path)

    assert [told(incident) for incident in incidents_of(path)] == []


SIZE = "size=320x180:rate=25"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
STILL = "select=eq(n\\,0),loop=-1:1:0,setpts=N/25/TB,fps=25"
PICTURES = {
    "testsrc2": f"testsrc2={SIZE}",
    "testsrc": f"testsrc={SIZE}",
    "mandelbrot": f"mandelbrot={SIZE}",
    "life": f"life={SIZE}:mold=10:ratio=0.1:seed=7:death_color=#C83232",
    "cells": "life=size=80x45:rate=25:ratio=0.2:seed=3,scale=320:180:flags=neighbor",
    "automaton": f"cellauto={SIZE}:seed=5",
    "gradients": f"gradients={SIZE}:c0=orange:c1=navy:nb_colors=2:x0=0:y0=0:x1=320:y1=180:seed=1",
    "sierpinski": f"sierpinski={SIZE}:seed=5",
    "dark": f"testsrc2={SIZE},eq=brightness=-0.35:contrast=0.5",
    "night": f"mandelbrot={SIZE},curves=all='0/0 1/0.25'",
    "box-on-black": f"color=black:{SIZE}[a];color=white:size=50x50:rate=25[b];"
    "[a][b]overlay=x='130+90*sin(t)':y='60+40*cos(1.3*t)'",
    "fades": f"testsrc2={SIZE}[a];color=black:{SIZE}[b];"
    "[a][b]blend=all_expr='A*clip(abs(mod(T,4)-2)-0.4,0,1)+B*(1-clip(abs(mod(T,4)-2)-0.4,0,1))'",
    "flashes": f"testsrc2={SIZE},drawbox=c=white:t=fill:enable='lt(mod(t\\,2)\\,0.1)'",
    "black-flashes": f"testsrc2={SIZE},drawbox=c=black:t=fill:enable='lt(mod(t\\,3)\\,1.5)'",
    "letterbox": f"testsrc2={SIZE},drawbox=h=24:w=iw:c=black:t=fill,"
    "drawbox=y=ih-24:h=24:w=iw:c=black:t=fill",
    "pillarbox": "mandelbrot=size=240x180:rate=25,pad=320:180:40:0",
    "slow-pan": f"testsrc2=size=640x360:rate=25,{STILL},crop=600:338:x='n*0.1':y=4,scale=320:180",
    "slow-zoom": f"testsrc2={SIZE},select=eq(n\\,0),zoompan=z='1+0.001*on':d=400:s=320x180:fps=25",
    "grain": f"mandelbrot={SIZE}:start_scale=0.3:end_scale=0.3,{STILL},noise=alls=14:allf=t",
    "clock": f"testsrc2={SIZE},{STILL},"
    "drawbox=x=296:y=164:w=10:h=10:c=black:t=fill:enable='lt(mod(t\\,2)\\,1)'",
    "window-in-a-still": f"mandelbrot={SIZE}:start_scale=0.3:end_scale=0.3,{STILL}[a];"
    "mandelbrot=size=48x36:rate=25[b];[a][b]overlay=140:90",
    "5-a-second": "testsrc2=size=320x180:rate=5,fps=25",
    "scroll": f"mandelbrot=size=320x720:rate=25:start_scale=0.3:end_scale=0.3,{STILL},"
    "scroll=vertical=0.002,crop=320:180:0:0",
    "colours": f"testsrc2={SIZE},hue=h=40*t",
}
QUALITIES = {
    "fine": (*X264, "-crf", "18", "-g", "50"),
    "coarse": (*X264, "-crf", "38", "-g", "25"),
    "poor": (*X264, "-b:v", "120k", "-maxrate", "120k", "-bufsize", "240k", "-g", "100"),
}


@needs_ffmpeg
@pytest.mark.parametrize(
    ("picture", "quality"),
    # Below that quality the encoder takes the grain away, and the picture stands still.
    [(p, q) for p in PICTURES for q in QUALITIES if p != "grain" or q == "fine"],
)
def test_foreign_picture_raises_nothing(picture: str, quality: str, tmp_path: Path) -> None:
    path = encode(
        tmp_path / "clip.mp4", video=PICTURES[picture], seconds=8, options=QUALITIES[quality]
    )

    assert [told(incident) for incident in incidents_of(path)] == []


CODECS = {
    "mpeg2video.ts": ("-c:v", "mpeg2video", "-b:v", "500k"),
    "mpeg1video.mpg": ("-c:v", "mpeg1video", "-b:v", "500k"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-b:v", "400k", "-bf", "2"),
    "wmv2.asf": ("-c:v", "wmv2", "-b:v", "400k"),
    "flv1.flv": ("-c:v", "flv", "-b:v", "400k"),
    "mjpeg.mov": ("-c:v", "mjpeg", "-q:v", "8"),
    "theora.ogv": ("-c:v", "libtheora", "-b:v", "400k"),
    "hevc.mkv": ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "34",
                 "-x265-params", "log-level=error"),
    "vp8.webm": ("-c:v", "libvpx", "-b:v", "250k", "-deadline", "realtime", "-cpu-used", "8"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-b:v", "250k", "-deadline", "realtime",
                 "-cpu-used", "8"),
    "open-gop.ts": (*X264, "-x264-params", "open-gop=1:keyint=50", "-bf", "5"),
    "intra-refresh.ts": (*X264, "-x264-params", "intra-refresh=1:keyint=50"),
    "fields.ts": (*X264, "-vf", "tinterlace=interleave_top", "-flags", "+ilme+ildct"),
    "telecine.ts": ("-c:v", "mpeg2video", "-b:v", "800k", "-vf", "fps=24000/1001,telecine"),
    "mxf.mxf": ("-c:v", "mpeg2video", "-b:v", "800k", "-c:a", "pcm_s16le"),
}  # fmt: skip
HUM = "aevalsrc=0.1*sin(440*PI*t)*(0.6+0.4*sin(6*PI*t))|0.1*sin(554*PI*t)*(0.6+0.4*cos(4*PI*t))"


@needs_ffmpeg
@pytest.mark.parametrize("codec", CODECS)
def test_foreign_codec_raises_nothing(codec: str, tmp_path: Path) -> None:
    path = encode(
        tmp_path / codec,
        video=PICTURES["testsrc2"],
        audio=HUM,
        seconds=8,
        options=("-pix_fmt", "yuv420p", "-g", "50", *CODECS[codec], "-ar", "48000"),
    )

    assert [told(incident) for incident in incidents_of(path)] == []


TALK = "aevalsrc='0.2*sin(300*PI*t+3*sin(40*t))*abs(sin(12*t))*{gate}'"
FOREIGN_SOUNDS = {
    "pauses": TALK.format(gate="lt(mod(t\\,3.5)\\,1.65)") + ",aformat=channel_layouts=stereo",
    "rests": "aevalsrc='0.2*sin(440*PI*t)*lt(mod(t,4),2.3)|0.2*sin(660*PI*t)*lt(mod(t,4),2.3)'",
    "mono-on-two": TALK.format(gate="1") + ",aformat=channel_layouts=stereo",
    "mono": TALK.format(gate="1"),
    "bass": "sine=frequency=50,volume=17.95dB,aformat=channel_layouts=stereo",
    "full-scale": "sine=frequency=997,volume=17.95dB,aformat=channel_layouts=stereo",
    "limited": "anoisesrc=color=pink:amplitude=0.9:seed=3,alimiter=limit=0.98:level=0,"
    "aformat=channel_layouts=stereo",
    "mastered": "aevalsrc='0.9*sin(220*PI*t)+0.7*sin(331*PI*t)+0.5*sin(1100*PI*t)"
    "|0.9*sin(220*PI*t)+0.7*sin(402*PI*t)+0.5*sin(900*PI*t)',"
    "alimiter=limit=0.99:attack=1:release=50:level=0",
    "crushed": TALK.format(gate="1") + ",acrusher=bits=6:mix=0.8,aformat=channel_layouts=stereo",
    "wide": "anoisesrc=color=pink:amplitude=0.2:seed=1[a];"
    "anoisesrc=color=pink:amplitude=0.2:seed=2[b];[a][b]join=channel_layout=stereo",
    "square": "aevalsrc='0.5*sgn(sin(220*PI*t))|0.5*sgn(sin(220*PI*t))'",
    "fade": "sine=frequency=330,volume=5dB,afade=t=in:d=3,afade=t=out:st=7:d=3,"
    "aformat=channel_layouts=stereo",
    "panned": "aevalsrc='0.2*sin(440*PI*t)*(0.5+0.5*sin(t))|0.2*sin(440*PI*t)*(0.5-0.5*sin(t))'",
}
SOUND_CODECS = {
    "aac.m4a": ("-c:a", "aac", "-b:a", "96k"),
    "mp3.mp3": ("-c:a", "libmp3lame", "-b:a", "96k"),
    "opus.webm": ("-c:a", "libopus", "-b:a", "64k"),
    "pcm.wav": ("-c:a", "pcm_s16le"),
}


@needs_ffmpeg
@pytest.mark.parametrize("codec", SOUND_CODECS)
@pytest.mark.parametrize("sound", FOREIGN_SOUNDS)
def test_foreign_sound_raises_nothing(sound: str, codec: str, tmp_path: Path) -> None:
    path = encode(
        tmp_path / codec,
        audio=FOREIGN_SOUNDS[sound],
        seconds=10,
        options=("-ar", "48000", *SOUND_CODECS[codec]),
    )

    assert [told(incident) for incident in incidents_of(path)] == []
