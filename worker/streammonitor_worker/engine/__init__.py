"""A process that watches many streams, told what to do by its supervisor.

    messages   what the two say to each other; imports neither numpy nor av
    hosted     one stream: its renditions, opened again as often as it takes
    rendition, account, weight     one of them; what it costs and how it is doing
    process    the process: commands in, reports out, dies with its supervisor

Crashes of a media library take an engine with them and nothing else.
"""
