"""Everything about Microsoft 365 that is odd or not known for sure, one switch each.

The defaults are the harder reading of what is known. `Switches.variants()` turns each switch the other way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

_OTHER: Final = "other"
_WHY: Final = "why"


def _switch(default: Any, other: Any, why: str) -> Any:
    """A field with its default, the value it is flipped to, and the sentence with its source."""
    return field(default=default, metadata={_OTHER: other, _WHY: why})


def _limit(default: Any, why: str) -> Any:
    """A field that a variant leaves alone: it says how much, not how."""
    return field(default=default, metadata={_WHY: why})


@dataclass
class Switches:
    """How this Microsoft 365 behaves; change a field at any time, the next request obeys it."""

    # Contacts: what comes back is not what was written
    regenerate_display_name: bool = _switch(
        True, False, "a PATCH of a name part without displayName computes it anew (graph contact-update page)"
    )
    display_name_falls_back: bool = _switch(
        True, False, "with no name at all displayName becomes the company or the first address; else it stays null"
    )
    fill_file_as: bool = _switch(True, False, "fileAs not sent becomes 'Surname, Given' (graph contact samples)")
    fill_initials: bool = _switch(True, False, "initials not sent become 'G.S.' (graph contact samples)")
    directory_overrides_email_names: bool = _switch(
        True, False, "an address known to the directory gets the directory's name (microsoft-graph-docs#19265)"
    )
    email_name_sticks: bool = _switch(
        True, False, "the name of an address that stays cannot be changed (microsoft-graph-docs#507)"
    )
    invalid_email_loses_address: bool = _switch(
        True, False, "a malformed address is kept as a name without address (microsoft-graph-docs#2186)"
    )
    email_trio_wins: bool = _switch(
        False, True, "primary/secondary/tertiaryEmailAddress win over emailAddresses sent with them; else they lose"
    )
    empty_strings_instead_of_null: bool = _switch(
        True, False, 'unset assistantName, manager, personalNotes and fileAs come back as "" (corso test data)'
    )
    shuffle_categories: bool = _switch(True, False, "categories come back in another order (davmail a480a423)")
    inject_folder_category: bool = _switch(
        True, False, "items outside the default folder bear the folder's name as a category (corso#3550)"
    )
    address_patch_replaces: bool = _switch(
        True, False, "PATCH of an address replaces it whole; else the parts that are not sent stay"
    )
    null_address_on_post_fails: bool = _switch(
        True, False, "POST with a null address is a 500 (msgraph-sdk-dotnet#2368)"
    )
    normalise_line_ends: str = _switch("crlf", "lf", "line ends of a note as they are kept: crlf, lf or keep")
    truncate_notes_in_lists: bool = _switch(
        True, False, "a note that begins with a line break is cut to 256 in listings (microsoft-graph-docs#17598)"
    )
    strip_leading_breaks: bool = _switch(
        True, False, "such a note also loses its line breaks in listings (microsoft-graph-docs#17598)"
    )
    truncate_all_notes_in_lists: bool = _switch(False, True, "every note is cut to 256 characters in listings")
    truncate_notes_in_delta: bool = _switch(True, False, "delta pages cut notes as listings do")
    trim_strings: bool = _switch(False, True, "blanks at either end of a string are dropped when it is written")
    max_home_phones: int | None = _switch(2, None, "home phones a contact can hold; None is no limit")
    max_im_addresses: int | None = _switch(3, None, "IM addresses a contact can hold; None is no limit")
    max_string_length: int | None = _switch(
        None, 4096, "characters of a string property but the note; None is no limit"
    )
    # Items, ids, change markers
    honour_if_match: bool = _switch(
        True, False, "a wrong If-Match is a 412 ErrorIrresolvableConflict; else it is ignored"
    )
    silent_change_key_bump_seconds: float | None = _switch(
        5.0,
        None,
        "so long after a create the server changes the changeKey by itself (microsoft-graph-docs-contrib#7644)",
    )
    silent_bump_moves_modified: bool = _switch(False, True, "that also moves lastModifiedDateTime")
    spurious_conflict_every: int | None = _switch(
        1000, 7, "each so manieth PATCH, once an item, is a 412 though nobody else wrote (msgraph-sdk-dotnet#1201)"
    )
    immutable_ids_need_header: bool = _switch(
        False, True, "an immutable id in a URL is malformed without the Prefer header"
    )
    deleted_items_readable: bool = _switch(
        False, True, "an item in Deleted Items still answers to its immutable id, instead of 404"
    )
    restore_keeps_immutable_id: bool = _switch(
        True, False, "an item restored from Deleted Items keeps its immutable id"
    )
    sensitivity_always_set: bool = _switch(
        False, True, "cards that are not private have Integer 0x36 = 0, else they lack it"
    )
    copies_keep_marker: bool = _switch(True, False, "a copy made in Outlook keeps its extended properties")
    marker_lookup_lag_seconds: float = _switch(
        0.0, 3.0, "a filter on an extended property does not find items younger than this"
    )
    extended_property_echo: bool = _switch(False, True, "the answer to a write echoes the extended properties")
    # Lists
    list_order: str = _switch("oldest", "newest", "items of a listing without $orderby: oldest or newest first")
    list_empty_pages: bool = _switch(
        True, False, "each third page of a listing is empty and has a nextLink (contrib#8153)"
    )
    top_limits_total: bool = _switch(False, True, "$top limits the whole listing, not its pages (corso)")
    max_list_page_size: int = _limit(1000, "the largest $top of a listing; more is a 400")
    hide_distribution_lists: bool = _switch(
        True,
        False,
        "distribution lists count in $top, $skip and $count, but are not returned; else they are not counted",
    )
    hidden_folders_listed: bool = _switch(False, True, "hidden system folders are listed beside the others")
    folder_name_case_insensitive: bool = _switch(True, False, "folder names are compared without case")
    default_folder_name: str = _switch("Kontakte", "Contacts", "the default folder's name, in the mailbox's language")
    folder_gone_code: str = _switch(
        "ErrorItemNotFound", "ErrorSyncFolderNotFound", "code of the 404 for a folder that is gone"
    )
    # Delta
    delta_supported: bool = _limit(True, "contacts/delta is there; not so in the China cloud")
    default_folder_delta_supported: bool = _switch(
        False, True, "/users/{id}/contacts/delta works; else only the form with the folder's id does"
    )
    alias_in_delta_supported: bool = _switch(False, True, "the folder id 'contacts' works in a delta path")
    max_delta_page_size: int = _switch(500, 50, "the largest page of a delta round; more is asked in vain (corso)")
    delta_expand_fails: bool = _switch(
        True, False, "$expand in delta is a 500 (microsoft-graph-docs#1993); else it is ignored"
    )
    partial_delta_items: bool = _switch(False, True, "a changed item comes with its id and changed properties only")
    delta_duplicates: bool = _switch(
        True, False, "the last item of a page comes again on the next (delta overview page)"
    )
    delta_replays: bool = _switch(
        True, False, "a round begins with the last change of the round before (delta overview page)"
    )
    delta_empty_pages: bool = _switch(True, False, "the second page of a round is empty and has a nextLink")
    delta_removed_in_first_round: bool = _switch(True, False, "a first round names items that were deleted before it")
    delta_misses_last_delete: bool = _limit(
        False, "deleting the last item of a folder is not told (msgraph-sdk-dotnet#1310)"
    )
    odata_delta_links: bool = _switch(
        True, False, "links read users('x')/contactfolders('y'), not the path that was called (contact-delta page)"
    )
    long_delta_links: bool = _switch(False, True, "links are over 2,000 characters long")
    delta_reset: str = _switch(
        "sync_state_not_found",
        "location",
        "answer to a lost token: sync_state_not_found, location, sync_state_invalid, resync_required or parameter",
    )
    delta_token_cache_size: int = _limit(200_000, "delta tokens kept in all mailboxes; the oldest are dropped")
    # $batch
    batch_concurrency: int = _limit(4, "requests of one batch that are carried out at a time (docs PR#20833)")
    batch_concurrency_enforced: bool = _switch(
        False, True, "the fifth and later requests to one mailbox in a batch are 429 (microsoft-graph-docs#8760)"
    )
    shuffle_batch_responses: bool = _switch(True, False, "responses of a batch come in another order than the requests")
    batch_throttled_status: int = _switch(200, 424, "status of a batch when one of its requests was throttled")
    batch_header_case: str = _switch("title", "lower", "names of the headers of a batch's responses: title or lower")
    # Throttling
    retry_after: str = _switch(
        "integer", "fraction", "form of Retry-After: integer, fraction, date, one (always 1) or missing"
    )
    throttle_code: str = _switch("ApplicationThrottled", "TooManyRequests", "code of Outlook's 429")
    concurrency_enforced: bool = _switch(True, False, "a fifth request to a mailbox at the same time is a 429")
    mailbox_concurrency: int = _limit(4, "requests of an application to one mailbox at a time")
    mailbox_requests: int | None = _limit(
        10_000, "requests of an application to one mailbox in 600 seconds; None is no limit"
    )
    mailbox_upload_bytes: int | None = _limit(
        150_000_000, "bytes uploaded to one mailbox in 300 seconds; None is no limit"
    )
    identity_units: int | None = _limit(
        3_500, "resource units of the directory in 10 seconds (small tenant); None is no limit"
    )
    service_seconds: float = _limit(0.0, "real seconds that Graph takes for a request, to make requests overlap")
    # Directory
    licence_filter_count_supported: bool = _switch(
        True, False, "assignedLicenses/$count ne 0 works as an advanced query"
    )
    licence_filter_sku_ne_null_supported: bool = _switch(False, True, "assignedLicenses/any(x:x/skuId ne null) works")
    index_lag_seconds: float = _limit(0.0, "advanced queries do not see what changed in the directory since then")
    expired_users_page_seconds: float = _limit(
        600.0, "age at which a page token of /users is a 400 Directory_ExpiredPageToken"
    )
    # Mailboxes and errors
    not_found_code: str = _switch(
        "varying",
        "ErrorInvalidUser",
        "code of the 404 for no mailbox: MailboxNotEnabledForRESTAPI, ResourceNotFound, ErrorInvalidUser or varying",
    )
    camel_case_error_codes: bool = _switch(False, True, "error codes begin with a small letter")
    inner_error_name: str = _switch("innerError", "innererror", "the key of the inner error")
    national_cloud: bool = _switch(
        False, True, "a sovereign cloud: no e-mail trio, no contacts delta, no permanentDelete of contacts"
    )

    def __setattr__(self, name: str, value: object) -> None:
        """Set a switch, and let everything rendered before count as stale."""
        object.__setattr__(self, name, value)
        object.__setattr__(self, "version", getattr(self, "version", 0) + 1)

    version = 0

    @classmethod
    def variants(cls) -> Iterator[tuple[str, "Switches"]]:
        """Each switch flipped away from its default, by name, and at last all of them as "all"."""
        others = {f.name: f.metadata[_OTHER] for f in fields(cls) if _OTHER in f.metadata}
        for name, other in others.items():
            yield name, replace(cls(), **{name: other})
        yield "all", replace(cls(), **others)

    @classmethod
    def describe(cls) -> dict[str, str]:
        """What each switch means, with its source."""
        return {f.name: f.metadata[_WHY] for f in fields(cls)}

    def take(self, other: "Switches") -> None:
        """Become as the other is."""
        for f in fields(self):
            setattr(self, f.name, getattr(other, f.name))
