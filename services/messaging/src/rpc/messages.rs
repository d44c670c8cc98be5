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
        send_message(SendMessageRequest) -> SendMessageResponse;
        post_webhook_message(PostWebhookMessageRequest) -> PostWebhookMessageResponse;
        reply_message(ReplyMessageRequest) -> ReplyMessageResponse;
        get_message(GetMessageRequest) -> GetMessageResponse;
        list_messages(ListMessagesRequest) -> ListMessagesResponse;
        watch_messages(WatchMessagesRequest) -> Self::WatchMessagesStream;
    }
}
