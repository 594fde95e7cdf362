"""Contact photos: they can be read and written, and never removed (microsoft-graph-docs#6255)."""

from collections.abc import Callable
from typing import Final

from tests.emulator.calls import Call
from tests.emulator.contacts import Contacts
from tests.emulator.mailbox import Mailbox
from tests.emulator.replies import BadRequestError, GraphError, Reply

_MOST_BYTES: Final = 4_000_000
Handler = Callable[[Call, Mailbox], Reply]


class Photos:
    """The handlers of photos."""

    def get(self, contacts: Contacts) -> Handler:
        """What is known of a photo."""

        def handle(call: Call, box: Mailbox) -> Reply:
            self._photo(contacts, call, box)
            return Reply(200, {"@odata.mediaContentType": "image/jpeg", "id": "1X1", "height": 1, "width": 1})

        return handle

    def download(self, contacts: Contacts) -> Handler:
        """The photo itself."""

        def handle(call: Call, box: Mailbox) -> Reply:
            return Reply(200, self._photo(contacts, call, box), {"Content-Type": "image/jpeg"})

        return handle

    def upload(self, contacts: Contacts) -> Handler:
        """A new photo; it moves the contact's change key."""

        def handle(call: Call, box: Mailbox) -> Reply:
            item = contacts.item(call, box, call.ids[-1])
            if not isinstance(call.body, bytes) or not call.body or len(call.body) >= _MOST_BYTES:
                raise BadRequestError("The photo is empty or too large.", "ErrorInvalidImage")
            item.photo = call.body
            box.storage.touch(item, ())
            return Reply(200)

        return handle

    def delete(self, contacts: Contacts) -> Handler:
        """There is no such thing."""

        def handle(call: Call, box: Mailbox) -> Reply:
            contacts.item(call, box, call.ids[-1])
            raise GraphError(405, "ErrorInvalidRequest", "The OData request is not supported.")

        return handle

    def _photo(self, contacts: Contacts, call: Call, box: Mailbox) -> bytes:
        photo = contacts.item(call, box, call.ids[-1]).photo
        if photo is None:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return photo
