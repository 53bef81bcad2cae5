"""The reference: decode every stream of the files with the same library and one thread, no more.

    python bench/decode_alone.py FILE…

One thread a file, as the watch has. Imports what the watch imports, for a fair memory figure.
"""

from __future__ import annotations

import resource
import sys
import threading

import av


def decode(path: str) -> None:
    with av.open(path) as container:
        for stream in (*container.streams.video, *container.streams.audio):
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
        for packet in container.demux():
            for _ in packet.decode():
                pass


def main() -> None:
    threads = [threading.Thread(target=decode, args=(path,)) for path in sys.argv[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{peak_kib / 1024:.1f} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
