"""The reference: decode every stream of the files with the same library and one thread, no more.

    python bench/decode_alone.py [--first] FILE…

One thread a file, as the watch has. With --first up to the first picture: what starting costs.
"""

from __future__ import annotations

import resource
import sys
import threading

import av


def decode(path: str, first: bool) -> None:
    with av.open(path) as container:
        for stream in (*container.streams.video, *container.streams.audio):
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
        for packet in container.demux():
            for frame in packet.decode():
                if first and isinstance(frame, av.VideoFrame):
                    return


def main() -> None:
    first = "--first" in sys.argv
    paths = [argument for argument in sys.argv[1:] if argument != "--first"]
    threads = [threading.Thread(target=decode, args=(path, first)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{peak_kib / 1024:.1f} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
