"""The error of sources that may be there again later."""

from __future__ import annotations

from streammonitor_api.errors import SourceError


class LostError(SourceError):
    """A source that cannot be reached or read right now; trying again may help.

    where: what to call it, without secrets. problem: what is wrong, to be used in a sentence of
    its own. status: the server's answer, 0 for none.
    """

    def __init__(
        self, where: str, problem: str, advice: str = "check the source", *, status: int = 0
    ) -> None:
        super().__init__(f"{where}: {problem}; {advice}")
        self.problem = problem
        self.status = status


def problem_of(error: SourceError) -> str:
    """What is wrong, without where and what to do."""
    return error.problem if isinstance(error, LostError) else str(error)
