//! Workflows (contract: events, "Workflow webhooks").

use guildhall_auth::{CallerExt, caller::answer, credential::digest_of};
use guildhall_data::{Claim, Database, IdempotencyKey, WorkflowId, idempotency::Answer};
use guildhall_events::outbox;
use guildhall_proto::{
    events::v1::Event,
    webhooks::v1::{
        BeginSessionRequest, BeginSessionResponse, CreateWorkflowRequest, CreateWorkflowResponse,
        DeleteWorkflowRequest, DeleteWorkflowResponse, ReceiveEventRequest, ReceiveEventResponse,
        workflow_service_server::WorkflowService,
    },
};
use guildhall_runtime::{Result, Timestamp};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use crate::{
    Webhooks,
    domain::{
        api_key,
        workflow::{SESSION_LIFE, WorkflowEvent},
    },
    events, present,
    store::workflows::{self, Model},
};

const CREATE: &str = "/guildhall.webhooks.v1.WorkflowService/CreateWorkflow";
const RECEIVE: &str = "/guildhall.webhooks.v1.WorkflowService/ReceiveEvent";

#[tonic::async_trait]
impl WorkflowService for Webhooks {
    async fn create_workflow(
        &self,
        request: Request<CreateWorkflowRequest>,
    ) -> Result<Response<CreateWorkflowResponse>, Status> {
        Ok(self.create_workflow(request).await?)
    }

    async fn delete_workflow(
        &self,
        request: Request<DeleteWorkflowRequest>,
    ) -> Result<Response<DeleteWorkflowResponse>, Status> {
        let community = request.caller()?.community;
        let id = request.into_inner().id.parse()?;
        let transaction = self.0.database.begin().await?;
        workflows::delete(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        Ok(Response::new(DeleteWorkflowResponse {}))
    }

    async fn begin_session(
        &self,
        request: Request<BeginSessionRequest>,
    ) -> Result<Response<BeginSessionResponse>, Status> {
        let request = request.into_inner();
        let id = request.workflow_id.parse()?;
        let workflow = workflows::find(self.0.database.reader(), id).await?;
        api_key::check(&workflow.api_key_digest, &request.api_key)?;
        let expires_at = Timestamp::now().plus(SESSION_LIFE);
        Ok(Response::new(BeginSessionResponse {
            session_token: self.0.sessions.issue(workflow.id, expires_at),
            expire_time: Some(expires_at.into()),
        }))
    }

    async fn receive_event(
        &self,
        request: Request<ReceiveEventRequest>,
    ) -> Result<Response<ReceiveEventResponse>, Status> {
        let request = request.into_inner();
        let id: WorkflowId = request.workflow_id.parse()?;
        let sessions = &self.0.sessions;
        sessions.check(id, &request.session_token, Timestamp::now())?;
        // A workflow that was deleted takes its sessions with it.
        let workflow = workflows::find(self.0.database.reader(), id).await?;
        let event = WorkflowEvent::read(request.body)?;
        Ok(self.take(&workflow, event, &request.dedup_id).await?)
    }
}

impl Webhooks {
    async fn create_workflow(
        &self,
        request: Request<CreateWorkflowRequest>,
    ) -> Result<Response<CreateWorkflowResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, CREATE, &request, Answer::Secret);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let (workflow, api_key) = workflows::new(caller.community, &request.name)?;
        let transaction = self.0.database.begin().await?;
        workflows::insert(&transaction, &workflow).await?;
        let response = CreateWorkflowResponse {
            workflow: Some(present::workflow(workflow)),
            api_key: api_key.reveal().to_string(),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(answer(response, false))
    }

    /// Writes an event down, once for each `dedup_id`; another one of the same is refused.
    async fn take(
        &self,
        workflow: &Model,
        event: WorkflowEvent,
        dedup_id: &str,
    ) -> Result<Response<ReceiveEventResponse>> {
        let event = events::workflow_event_received(workflow, event);
        let told = Event {
            payload: Some(event.payload.clone()),
            ..Event::default()
        };
        let key = dedup_key(workflow, dedup_id);
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, RECEIVE, &told, Answer::Plain);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(ReceiveEventResponse { .. }) => {
                return Ok(answer(ReceiveEventResponse { replayed: true }, true));
            }
        };
        let response = ReceiveEventResponse { replayed: false };
        let transaction = self.0.database.begin().await?;
        outbox::append(&transaction, vec![event]).await?;
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(answer(response, false))
    }
}

/// A repeat of an event is known under its workflow's own name.
fn dedup_key(workflow: &Model, dedup_id: &str) -> Option<IdempotencyKey> {
    (!dedup_id.is_empty()).then(|| IdempotencyKey {
        community: workflow.community_id,
        credential: workflow.id.to_string(),
        key: hex::encode(digest_of(dedup_id)),
        seal_secret: Zeroizing::default(),
    })
}
