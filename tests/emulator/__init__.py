"""A local Microsoft 365 over HTTPS: Entra's token endpoint, Key Vault, and Graph v1.0 with its oddities.

Read `server` for the door, `graph` for the way of a request, `switches` for every doubt about the real thing,
`faults` for what can be made to go wrong, `mailbox` for what a person does in Outlook.
"""

from tests.emulator.clock import EmulatorClock
from tests.emulator.directory import DirectoryUser, MailboxState, Tenant
from tests.emulator.faults import (
    Answer,
    ApplyThenAnswer,
    ApplyThenDrop,
    Conflict,
    Delay,
    Drop,
    ExpireToken,
    Fault,
    Omit,
    Run,
    SpuriousUnauthorized,
    Throttled,
)
from tests.emulator.generator import populate
from tests.emulator.log import RequestRecord
from tests.emulator.mailbox import Mailbox
from tests.emulator.server import Emulator
from tests.emulator.switches import Switches
from tests.emulator.thread import EmulatorThread

__all__ = [
    "Answer",
    "ApplyThenAnswer",
    "ApplyThenDrop",
    "Conflict",
    "Delay",
    "DirectoryUser",
    "Drop",
    "Emulator",
    "EmulatorClock",
    "EmulatorThread",
    "ExpireToken",
    "Fault",
    "Mailbox",
    "MailboxState",
    "Omit",
    "RequestRecord",
    "Run",
    "SpuriousUnauthorized",
    "Switches",
    "Tenant",
    "Throttled",
    "populate",
]
