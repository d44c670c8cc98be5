//! Managing outgoing webhooks, and looking at their deliveries.

use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, CreateOutgoingWebhookResponse, DeleteOutgoingWebhookRequest,
    DeleteOutgoingWebhookResponse, GetOutgoingWebhookRequest, GetOutgoingWebhookResponse,
    ListDeliveriesRequest, ListDeliveriesResponse, ListOutgoingWebhooksRequest,
    ListOutgoingWebhooksResponse, RedeliverDeliveryRequest, RedeliverDeliveryResponse,
    UpdateOutgoingWebhookRequest, UpdateOutgoingWebhookResponse,
    outgoing_webhook_service_server::OutgoingWebhookService,
};
use guildhall_service::forward;

use crate::Webhooks;

forward! {
    OutgoingWebhookService for Webhooks {
        list_outgoing_webhooks(ListOutgoingWebhooksRequest) -> ListOutgoingWebhooksResponse
            = list_outgoing;
        create_outgoing_webhook(CreateOutgoingWebhookRequest) -> CreateOutgoingWebhookResponse
            = create_outgoing;
        get_outgoing_webhook(GetOutgoingWebhookRequest) -> GetOutgoingWebhookResponse
            = get_outgoing;
        update_outgoing_webhook(UpdateOutgoingWebhookRequest) -> UpdateOutgoingWebhookResponse
            = update_outgoing;
        delete_outgoing_webhook(DeleteOutgoingWebhookRequest) -> DeleteOutgoingWebhookResponse
            = delete_outgoing;
        list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse = list_deliveries;
        redeliver_delivery(RedeliverDeliveryRequest) -> RedeliverDeliveryResponse = redeliver;
    }
}
