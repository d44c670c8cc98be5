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
        create_workflow(CreateWorkflowRequest) -> CreateWorkflowResponse = add_workflow;
        delete_workflow(DeleteWorkflowRequest) -> DeleteWorkflowResponse = remove_workflow;
        begin_session(BeginSessionRequest) -> BeginSessionResponse = open_session;
        receive_event(ReceiveEventRequest) -> ReceiveEventResponse = take_event;
    }
}
