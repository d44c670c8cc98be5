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
        list_incoming_webhooks(ListIncomingWebhooksRequest) -> ListIncomingWebhooksResponse;
        create_incoming_webhook(CreateIncomingWebhookRequest) -> CreateIncomingWebhookResponse;
        get_incoming_webhook(GetIncomingWebhookRequest) -> GetIncomingWebhookResponse;
        update_incoming_webhook(UpdateIncomingWebhookRequest) -> UpdateIncomingWebhookResponse;
        delete_incoming_webhook(DeleteIncomingWebhookRequest) -> DeleteIncomingWebhookResponse;
        receive_call(ReceiveCallRequest) -> ReceiveCallResponse;
    }
}
