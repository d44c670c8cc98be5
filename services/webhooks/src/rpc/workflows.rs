//! Workflows, and what they tell of.

use guildhall_proto::webhooks::v1::{
    BeginSessionRequest, BeginSessionResponse, CreateWorkflowRequest, CreateWorkflowResponse,
    DeleteWorkflowRequest, DeleteWorkflowResponse, ReceiveEventRequest, ReceiveEventResponse,
    workflow_service_server::WorkflowService,
};
use guildhall_service::forward;

use crate::Webhooks;

forward! {
    WorkflowService for Webhooks {
        create_workflow(CreateWorkflowRequest) -> CreateWorkflowResponse;
        delete_workflow(DeleteWorkflowRequest) -> DeleteWorkflowResponse;
        begin_session(BeginSessionRequest) -> BeginSessionResponse;
        receive_event(ReceiveEventRequest) -> ReceiveEventResponse;
    }
}
