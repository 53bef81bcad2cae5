"""What `watch` shows where there is no terminal: plain lines for people, or JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streammonitor_api.events import Event, Summary, as_line
from streammonitor_cli.display import Display
from streammonitor_cli.output import Output
from streammonitor_cli.wording import counted, event_line, format_text, printable
from streammonitor_worker.status import StreamStatus


class JsonLines(Display):
    """One JSON object a line, as documented in `docs/watch.md`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, event: Event) -> None:
        self._output.write_line(as_line(event))

    def close(self, summaries: Iterable[Summary], statuses: Sequence[StreamStatus]) -> None:
        """Write the summaries, the last lines that there are."""
        for summary in summaries:
            self._output.write_line(as_line(summary))


class PlainLines(Display):
    """One line an event, and one a stream at the end."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, event: Event) -> None:
        self._output.write_line(event_line(event))

    def close(self, summaries: Iterable[Summary], statuses: Sequence[StreamStatus]) -> None:
        for line in summary_lines(summaries, statuses):
            self._output.write_line(line)


def summary_lines(summaries: Iterable[Summary], statuses: Sequence[StreamStatus]) -> Iterator[str]:
    """A line a stream; none for those that could not be watched at all, as that has been told."""
    known = {status.stream: status for status in statuses}
    for summary in summaries:
        status = known.get(summary.stream)
        if summary.media_s > 0 or status is None or status.state != "failed":
            yield _summary_line(summary, status)


def _summary_line(summary: Summary, status: StreamStatus | None) -> str:
    """`clip.mp4: 12.0 s watched, 360 pictures, 2 incidents, 0.8 s of CPU (h264 640x360 …)`."""
    parts = [
        f"{summary.media_s:.1f} s watched",
        counted(summary.frames, "picture"),
        counted(summary.incidents, "incident") if summary.incidents else "no incident",
        f"{summary.cpu_s:.1f} s of CPU",
    ]
    line = f"{printable(summary.stream)}: {', '.join(parts)}"
    formats = [format_text(one) for one in (status.video, status.audio) if one] if status else []
    if formats:
        line += f" ({', '.join(formats)})"
    if status is not None and status.state == "failed":
        line += "; failed"  # why is told on standard error
    elif status is not None and status.error:
        line += f"; {printable(status.error.removeprefix(f'{summary.stream}: '))}"
    return line
