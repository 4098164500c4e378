"""What must survive a crash: the inbox, cursors, the ledger of decisions, the case book."""

from connector.store.books import Balance
from connector.store.inbox import Arrived, Job, Received
from connector.store.ledger import Entry, Outcome
from connector.store.overview import TenantOverview, look
from connector.store.store import Store

__all__ = [
    "Arrived",
    "Balance",
    "Entry",
    "Job",
    "Outcome",
    "Received",
    "Store",
    "TenantOverview",
    "look",
]
