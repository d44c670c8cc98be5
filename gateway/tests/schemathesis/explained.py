"""What may be answered otherwise than the document alone lets expect, each with its reason.

schemathesis judges a request by the schemas of its parts. It takes one that is wrong for right where the answer
depends on more than one part, on the credential, or on what is stored. Two of its checks are therefore replaced
by ones that know these cases: the operations, what the answer says, and what must be true of the request.
"""

import re
from typing import Callable, NamedTuple

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance


class Request:
    """What was sent. An empty value of the query is as good as none."""

    def __init__(self, case):
        self.body = case.body if isinstance(case.body, dict) else {}
        self.query = {name: value for name, value in (case.query or {}).items() if value not in ("", None)}
        self.path = dict(case.path_parameters or {})
        self.headers = dict(case.headers or {})

    def names(self, field):
        """Whether the query or the body has a value for the field."""
        return bool(self.query.get(field) or self.body.get(field))

    def has(self, *fields):
        """Whether the body has a value for each of the fields."""
        return all(self.body.get(field) not in (None, "") for field in fields)

    def asks(self, *parameters):
        """Whether the query has a value for each of the parameters."""
        return self.query.keys() >= set(parameters)

    def part(self, field):
        """An object in the body."""
        value = self.body.get(field)
        return value if isinstance(value, dict) else {}

    def text(self):
        """The text of a message."""
        text = self.body.get("message") or self.body.get("content")
        return text if isinstance(text, str) else ""

    def is_message(self):
        """Whether all that makes a message is valid."""
        texts = [self.body.get(field) or "" for field in ("sender", "channelId", "forumTopicId")]
        return 1 <= len(self.text().strip()) <= 10_000 and all(isinstance(text, str) for text in texts)


class Explained(NamedTuple):
    operations: str
    answer: str
    applies: Callable[[Request], bool] = lambda request: True


OBJECT_ID = re.compile("[0-9a-fA-F]{24}")
SENDING = "messages-(send|send-alias|reply)"
REMOVING = "reactions-remove(-alias)?"
OUTGOING = "webhooks-out-(create|update)"
INCOMING = "webhooks-in-(create|update)"

# Each part is valid, and yet the request is refused.
REFUSED = [
    # User keys may leave out `sender`, other keys may not: a schema does not know the credential.
    Explained(f"{SENDING}|messages-react|{REMOVING}", "sender is required", lambda r: not r.names("sender")),
    # Forums have topics, other channels have none.
    Explained(SENDING, "forumTopicId is required", lambda r: not r.has("forumTopicId")),
    # Two parameters that exclude each other.
    Explained("messages-list", "email and user_id exclude each other", lambda r: r.asks("email", "user_id")),
    # Each field of a removal may be in the query or in the body.
    Explained(REMOVING, "emoji is required", lambda r: not r.names("emoji")),
    Explained(REMOVING, "messageId is required", lambda r: not r.names("messageId")),
    # What narrows a list must not be empty: everything would be listed.
    Explained(".*", "is empty: leave it out, or say which"),
    # How many pages a list has depends on their length.
    Explained(".*", "page must be at most [0-9]+ with", lambda r: r.asks("page")),
    # Either of two fields is needed.
    Explained("auth-login", "email or username is required", lambda r: not r.has("email") and not r.has("username")),
    Explained("mb-messages-send", "content is required", lambda r: not r.has("content") and not r.has("e2ee")),
    Explained("mb-messages-send", "content and e2ee exclude each other", lambda r: r.has("content", "e2ee")),
    Explained("mb-messages-send", "e2ee can only be the content of a text", lambda r: r.body.get("type") != "text"),
    # A password is measured in bytes.
    Explained("auth-login", "at most 1024 bytes", lambda r: len(r.body["password"].encode()) > 1024),
    # What a channel needs depends on its type; the participants of a dm are counted once they are found.
    Explained("channels-create", "needs at least two participants", lambda r: r.body["channelType"] == "dm"),
    Explained("channels-create", "This type of channel has no participants", lambda r: r.has("participants")),
    Explained("channels-create", "This type of channel has no announcers", lambda r: r.has("announcers")),
    # What a webhook needs depends on what it is for, also when an earlier request said so.
    Explained(INCOMING, "settings.channelId is required", lambda r: not r.part("settings").get("channelId")),
    Explained(OUTGOING, "channelIds is required", lambda r: not r.has("channelIds") or not r.body["channelIds"]),
    Explained(f"{INCOMING}|{OUTGOING}", "encryption.key is required", lambda r: not r.part("encryption").get("key")),
    Explained("webhooks-in-update", "kind cannot be changed", lambda r: r.has("kind")),
    # A pattern cannot tell which hosts there are, and which addresses are public.
    Explained(OUTGOING, "url must (be (a URL|one of the public internet)|begin with https:// and a host)", lambda r: r.has("url")),
    # A community can have so many.
    Explained(".*-create", "There are [0-9]+ [a-z ]+ already, delete one first"),
    # A message takes so many reactions.
    Explained("messages-react|(sb|mb)-reactions-add", "at most [0-9]+ different emojis"),
    # What a call of a webhook needs depends on the webhook, and a header says whether it is encrypted.
    Explained("webhooks-in-receive", "message is required", lambda r: not r.has("message")),
    Explained("webhooks-in-receive", "Invalid encrypted body", lambda r: r.headers.get("x-encrypted") == "true"),
    # A list begins at one of two points.
    Explained("sb-messages-list", "message_ts is required", lambda r: r.query.get("message_id") in (None, "0", 0)),
    # A value that is in the path, the query and the body is one value.
    Explained(REMOVING, "is given twice, with different values", lambda r: bool(r.body)),
    # What a message of Sendbird needs depends on its type.
    Explained("sb-messages-send", "(files|url) is for message_type FILE", lambda r: r.body["message_type"] != "FILE"),
    Explained("sb-messages-list", "sender_ids is given twice", lambda r: r.asks("sender_id", "sender_ids")),
    Explained("sb-messages-send", "describes the file at url", lambda r: not r.has("url")),
    Explained("sb-messages-send", "url and files exclude each other", lambda r: r.has("url", "files")),
    Explained("sb-messages-send", "is_reply_to_channel is for replies", lambda r: not r.has("parent_message_id")),
    Explained("sb-messages-send", "must be an address like https:", lambda r: r.body["message_type"] == "FILE"),
    Explained("sb-messages-send", "message is required", lambda r: not r.text().strip()),
    Explained("sb-messages-send", "user_id is required", lambda r: not r.has("user_id")),
    Explained("sb-messages-send", "files is required", lambda r: r.body["message_type"] == "FILE"),
    # Sendbird answers 400 where others answer 404 or 409 (contract: sendbird, "Errors").
    Explained("sb-.*", '"code":(400201|400301),'),
    Explained("sb-.*", "Idempotency-Key was used", lambda r: "Idempotency-Key" in r.headers),
    # Mudbase answers 400 to the removal of what is not there (contract: mudbase, "mb-reactions-remove").
    Explained("mb-reactions-remove", "You have not added this reaction"),
    # schemathesis takes the end of an incoming webhook's url for its id.
    Explained("webhooks-.*", "webhookId must be 24 hex", lambda r: not OBJECT_ID.fullmatch(r.path["webhookId"])),
]

# A part is invalid, and yet the request is accepted.
ACCEPTED = [
    # White space around a text does not count.
    Explained(f"{SENDING}|mb-messages-send", "", lambda r: len(r.text().strip()) <= 10_000 < len(r.text())),
    # A call of a webhook may hold anything beside what this kind of webhook reads.
    Explained("webhooks-in-receive", "Message send successfully", lambda r: r.is_message()),
]


def is_explained(explanations, case, response):
    operation = case.operation.definition.raw["operationId"]
    return any(
        re.fullmatch(known.operations, operation)
        and re.search(known.answer, response.text)
        and known.applies(Request(case))
        for known in explanations
    )


@schemathesis.check
def valid_requests_are_accepted(ctx, response, case):
    try:
        positive_data_acceptance(ctx, response, case)
    except Failure:
        if response.status_code != 400 or not is_explained(REFUSED, case, response):
            raise


@schemathesis.check
def invalid_requests_are_refused(ctx, response, case):
    try:
        negative_data_rejection(ctx, response, case)
    except Failure:
        if not is_explained(ACCEPTED, case, response):
            raise
