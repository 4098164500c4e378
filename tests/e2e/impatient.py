"""The daemon's own command, with loops that count as stuck after seconds instead of minutes."""

import runpy

from connector import app, timetable, visits, worker

PATIENCE = 2.5
"""Seconds: a look at the store every half of one, and at promoted bundles every two."""

app.ROUND = 0.2
app.STORE_PROBED = 0.5
app.STORE_PATIENCE = app.WEB_PATIENCE = PATIENCE
timetable.PATIENCE = PATIENCE + 2
worker.PATIENCE = visits.PATIENCE = PATIENCE

if __name__ == "__main__":
    runpy.run_module("connector", run_name="__main__")
