"""Contact photos: they can be read and written, and never removed (microsoft-graph-docs#6255)."""

from typing import Final

from tests.emulator.calls import Call
from tests.emulator.contacts import Contacts
from tests.emulator.mailbox import Mailbox
from tests.emulator.replies import BadRequestError, GraphError, Reply

_MOST_BYTES: Final = 4_000_000


class Photos:
    """The handlers of photos."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def get(self, call: Call, box: Mailbox) -> Reply:
        """What is known of a photo."""
        self._photo(call, box)
        return Reply(200, {"@odata.mediaContentType": "image/jpeg", "id": "1X1", "height": 1, "width": 1})

    def download(self, call: Call, box: Mailbox) -> Reply:
        """The photo itself."""
        return Reply(200, self._photo(call, box), {"Content-Type": "image/jpeg"})

    def upload(self, call: Call, box: Mailbox) -> Reply:
        """A new photo; it moves the contact's change key."""
        item = self._contacts.item(call, box, call.ids[-1])
        if not isinstance(call.body, bytes) or not call.body or len(call.body) >= _MOST_BYTES:
            raise BadRequestError("The photo is empty or too large.", "ErrorInvalidImage")
        item.photo = call.body
        box.storage.touch(item, ())
        return Reply(200)

    def delete(self, call: Call, box: Mailbox) -> Reply:
        """There is no such thing."""
        self._contacts.item(call, box, call.ids[-1])
        raise GraphError(405, "ErrorInvalidRequest", "The OData request is not supported.")

    def _photo(self, call: Call, box: Mailbox) -> bytes:
        photo = self._contacts.item(call, box, call.ids[-1]).photo
        if photo is None:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return photo
