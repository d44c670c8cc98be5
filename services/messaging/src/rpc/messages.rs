use guildhall_proto::messaging::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse,
    PostWebhookMessageRequest, PostWebhookMessageResponse, ReplyMessageRequest,
    ReplyMessageResponse, SendMessageRequest, SendMessageResponse, WatchMessagesRequest,
    message_service_server::MessageService,
};
use guildhall_service::forward;

use crate::{Messaging, actions::MessageStream};

forward! {
    MessageService for Messaging, WatchMessagesStream = MessageStream {
        send_message(SendMessageRequest) -> SendMessageResponse = send;
        post_webhook_message(PostWebhookMessageRequest) -> PostWebhookMessageResponse
            = post_from_webhook;
        reply_message(ReplyMessageRequest) -> ReplyMessageResponse = reply;
        get_message(GetMessageRequest) -> GetMessageResponse = show_message;
        list_messages(ListMessagesRequest) -> ListMessagesResponse = messages;
        watch_messages(WatchMessagesRequest) -> Self::WatchMessagesStream = watch;
    }
}
