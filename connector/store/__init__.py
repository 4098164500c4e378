"""What must survive a crash: the inbox, cursors, the ledger of decisions, the case book."""

from connector.store.backlog import BACKFILL, Sorted, look_at_backlog
from connector.store.books import Balance, look_at_books
from connector.store.brakes import Pulled
from connector.store.cases import Way
from connector.store.claim import Job
from connector.store.database import Place, is_begun, place_of, reached
from connector.store.erasure import AT_ONCE, Erased, Erasure, look_at_tickets
from connector.store.feedback import Answer, Fate, Feedback, Trial, look_at_trials
from connector.store.inbox import Arrived, Received
from connector.store.ledger import Conclusion, Entry, Outcome, look_at_written
from connector.store.levels import Level, look_at_levels
from connector.store.options import Gone
from connector.store.overview import TenantOverview, look
from connector.store.queue import Filter, Queue, Row, look_at_rows
from connector.store.records import Heard, Records, look_at_records
from connector.store.schema import State
from connector.store.settlement import Settlement, due_again
from connector.store.store import Store
from connector.store.transfer import transfer
from connector.store.undoings import Dated, Undoings, look_at_writes, open_plans, packed, unpacked

__all__ = [
    "AT_ONCE",
    "BACKFILL",
    "Answer",
    "Arrived",
    "Balance",
    "Conclusion",
    "Dated",
    "Entry",
    "Erased",
    "Erasure",
    "Fate",
    "Feedback",
    "Filter",
    "Gone",
    "Heard",
    "Job",
    "Level",
    "Outcome",
    "Place",
    "Pulled",
    "Queue",
    "Received",
    "Records",
    "Row",
    "Settlement",
    "Sorted",
    "State",
    "Store",
    "TenantOverview",
    "Trial",
    "Undoings",
    "Way",
    "due_again",
    "is_begun",
    "look",
    "look_at_backlog",
    "look_at_books",
    "look_at_levels",
    "look_at_records",
    "look_at_rows",
    "look_at_tickets",
    "look_at_trials",
    "look_at_writes",
    "look_at_written",
    "open_plans",
    "packed",
    "place_of",
    "reached",
    "transfer",
    "unpacked",
]
