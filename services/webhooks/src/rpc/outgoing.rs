//! Managing outgoing webhooks, and looking at their deliveries.

use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, CreateOutgoingWebhookResponse, DeleteOutgoingWebhookRequest,
    DeleteOutgoingWebhookResponse, GetDeliveryRequest, GetDeliveryResponse,
    GetOutgoingWebhookRequest, GetOutgoingWebhookResponse, ListDeliveriesRequest,
    ListDeliveriesResponse, ListOutgoingWebhooksRequest, ListOutgoingWebhooksResponse,
    RecoverDeliveriesRequest, RecoverDeliveriesResponse, RedeliverDeliveryRequest,
    RedeliverDeliveryResponse, TestOutgoingWebhookRequest, TestOutgoingWebhookResponse,
    UpdateOutgoingWebhookRequest, UpdateOutgoingWebhookResponse,
    outgoing_webhook_service_server::OutgoingWebhookService,
};
use guildhall_service::forward;

use crate::Webhooks;

forward! {
    OutgoingWebhookService for Webhooks {
        list_outgoing_webhooks(ListOutgoingWebhooksRequest) -> ListOutgoingWebhooksResponse;
        create_outgoing_webhook(CreateOutgoingWebhookRequest) -> CreateOutgoingWebhookResponse;
        get_outgoing_webhook(GetOutgoingWebhookRequest) -> GetOutgoingWebhookResponse;
        update_outgoing_webhook(UpdateOutgoingWebhookRequest) -> UpdateOutgoingWebhookResponse;
        delete_outgoing_webhook(DeleteOutgoingWebhookRequest) -> DeleteOutgoingWebhookResponse;
        list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse;
        redeliver_delivery(RedeliverDeliveryRequest) -> RedeliverDeliveryResponse;
        get_delivery(GetDeliveryRequest) -> GetDeliveryResponse;
        recover_deliveries(RecoverDeliveriesRequest) -> RecoverDeliveriesResponse;
        test_outgoing_webhook(TestOutgoingWebhookRequest) -> TestOutgoingWebhookResponse;
    }
}
