//! Managing incoming webhooks, and calling them.

use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, CreateIncomingWebhookResponse, DeleteIncomingWebhookRequest,
    DeleteIncomingWebhookResponse, GetIncomingWebhookRequest, GetIncomingWebhookResponse,
    ListIncomingWebhooksRequest, ListIncomingWebhooksResponse, ReceiveCallRequest,
    ReceiveCallResponse, UpdateIncomingWebhookRequest, UpdateIncomingWebhookResponse,
    incoming_webhook_service_server::IncomingWebhookService,
};
use guildhall_service::forward;

use crate::Webhooks;

forward! {
    IncomingWebhookService for Webhooks {
        list_incoming_webhooks(ListIncomingWebhooksRequest) -> ListIncomingWebhooksResponse
            = list_incoming;
        create_incoming_webhook(CreateIncomingWebhookRequest) -> CreateIncomingWebhookResponse
            = create_incoming;
        get_incoming_webhook(GetIncomingWebhookRequest) -> GetIncomingWebhookResponse
            = get_incoming;
        update_incoming_webhook(UpdateIncomingWebhookRequest) -> UpdateIncomingWebhookResponse
            = update_incoming;
        delete_incoming_webhook(DeleteIncomingWebhookRequest) -> DeleteIncomingWebhookResponse
            = delete_incoming;
        receive_call(ReceiveCallRequest) -> ReceiveCallResponse = receive;
    }
}
