//! Workflows (contract: events, "Workflow webhooks").

use std::{sync::Arc, time::Duration};

use guildhall_auth::{CallerExt, request::answer};
use guildhall_data::{
    Claim, Database, Limited, Resource, Transaction, WorkflowId, id, idempotency::Answer,
};
use guildhall_events::outbox;
use guildhall_proto::{
    events::v1::Event,
    webhooks::v1::{
        BeginSessionRequest, BeginSessionResponse, CreateWorkflowRequest, CreateWorkflowResponse,
        DeleteWorkflowRequest, DeleteWorkflowResponse, ReceiveEventRequest, ReceiveEventResponse,
    },
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_writes::Keyed;
use tonic::{Request, Response};

use super::{
    callers::{Origin, origin},
    names::CallNames,
};
use crate::{
    Webhooks,
    domain::{
        api_key,
        workflow::{SESSION_LIFE, WorkflowEvent},
    },
    events, present,
    store::workflows,
};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

impl Webhooks {
    /// Makes a workflow. Its API key is in this answer alone.
    ///
    /// # Errors
    /// INVALID_VALUE when there are too many, and what is wrong with its name.
    pub(crate) async fn create_workflow(
        &self,
        request: Request<CreateWorkflowRequest>,
    ) -> Result<Response<CreateWorkflowResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let community = write.caller.community;
            let (workflow, api_key) = workflows::new(community, &request.name)?;
            let transaction = write.begin().await?;
            workflows::Entity::insert_one_more(&transaction, community, &workflow).await?;
            let answer = CreateWorkflowResponse {
                workflow: Some(present::workflow(workflow)),
                api_key: api_key.reveal().to_string(),
            };
            write.finish(transaction, answer).await
        });
        write.await
    }

    /// Deletes a workflow, and with it its sessions.
    ///
    /// # Errors
    /// WORKFLOW_NOT_FOUND.
    pub(crate) async fn delete_workflow(
        &self,
        request: Request<DeleteWorkflowRequest>,
    ) -> Result<Response<DeleteWorkflowResponse>> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.get_ref().id)?;
        let transaction = self.0.database.begin().await?;
        workflows::Entity::remove_one(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        Ok(Response::new(DeleteWorkflowResponse {}))
    }

    /// Opens a session for whoever presents the API key of a workflow.
    ///
    /// # Errors
    /// RATE_LIMITED, WORKFLOW_NOT_FOUND, CREDENTIAL_MISSING, CREDENTIAL_INVALID.
    pub(crate) async fn begin_session(
        &self,
        request: Request<BeginSessionRequest>,
    ) -> Result<Response<BeginSessionResponse>> {
        let (callers, origin) = (&self.0.callers, origin(&request));
        callers.count(origin)?;
        let request = request.into_inner();
        let id = id::parse("workflow_id", &request.workflow_id)?;
        let opened = self.open_workflow(id, &request.api_key).await;
        opened.map_err(|failure| callers.failed(origin, failure))?;
        callers.count_workflow(id)?;
        let expires_at = Timestamp::now().plus(SESSION_LIFE);
        Ok(Response::new(BeginSessionResponse {
            session_token: self.0.sessions.issue(id, expires_at),
            expire_time: Some(expires_at.into()),
        }))
    }

    /// Lets in who presents the API key of a workflow.
    async fn open_workflow(&self, id: WorkflowId, api_key: &str) -> Result<()> {
        let workflow = workflows::get_open(self.0.database.reader(), id).await?;
        api_key::check(&workflow.api_key_digest, api_key)
    }

    /// Publishes an event of a workflow, once for each `dedup_id` and each Idempotency-Key; another one
    /// of the same is refused.
    ///
    /// # Errors
    /// RATE_LIMITED for a caller or a workflow that calls too often or has sent too much today,
    /// CREDENTIAL_MISSING, CREDENTIAL_INVALID, WORKFLOW_NOT_FOUND, IDEMPOTENCY_MISMATCH, and as
    /// [`WorkflowEvent::read`] says.
    pub(crate) async fn receive_event(
        &self,
        request: Request<ReceiveEventRequest>,
    ) -> Result<Response<ReceiveEventResponse>> {
        let (callers, origin) = (&self.0.callers, origin(&request));
        callers.count(origin)?;
        let rpc = Arc::clone(&request.rule()?.path);
        let names = CallNames::of(&request, &request.get_ref().dedup_id);
        let request = request.into_inner();
        let id: WorkflowId = id::parse("workflow_id", &request.workflow_id)?;
        self.check_session(id, &request.session_token, origin)?;
        callers.count_workflow(id)?;
        // A workflow that was deleted takes its sessions with it.
        let workflow = workflows::get_open(self.0.database.reader(), id).await?;
        let event = WorkflowEvent::read(request.body)?;
        self.publish(&workflow, event, names?, rpc).await
    }

    fn check_session(&self, id: WorkflowId, token: &str, origin: Origin) -> Result<()> {
        let sessions = &self.0.sessions;
        sessions
            .check(id, token, Timestamp::now())
            .map_err(|failure| {
                // A session that has ended is no guess: its caller shakes hands once more.
                match sessions.is_ours(id, token) {
                    true => failure,
                    false => self.0.callers.failed(origin, failure),
                }
            })
    }

    async fn publish(
        &self,
        workflow: &workflows::Model,
        event: WorkflowEvent,
        names: CallNames,
        rpc: Arc<str>,
    ) -> Result<Response<ReceiveEventResponse>> {
        let bytes = event.body.len();
        let event = events::workflow_event_received(workflow, event);
        let told = Event {
            payload: Some(event.payload.clone()),
            ..Event::default()
        };
        let keys = names.for_workflow(workflow).into_iter().map(|key| {
            let (key, rpc) = (Some(key), Arc::clone(&rpc));
            (Keyed { key, rpc }, told.clone())
        });
        let ticket = match self.0.writes.claim_all(keys, Answer::Plain).await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(ReceiveEventResponse { .. }) => {
                return Ok(answer(ReceiveEventResponse { replayed: true }, true));
            }
        };
        let response = ReceiveEventResponse { replayed: false };
        let transaction = self.0.database.begin().await?;
        self.count_bytes(&transaction, workflow, bytes).await?;
        outbox::append(&transaction, vec![event]).await?;
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(answer(response, false))
    }

    /// Counts what is kept of a workflow's events: for a day, and in all replicas together.
    async fn count_bytes(
        &self,
        transaction: &Transaction,
        workflow: &workflows::Model,
        bytes: usize,
    ) -> Result<()> {
        let mebibytes = self.0.settings.workflow_daily_mib;
        if mebibytes == 0 {
            return Ok(());
        }
        let now = Timestamp::now().as_millis();
        let (day, max) = (now.div_euclid(DAY), i64::from(mebibytes) << 20);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if workflows::count_bytes(transaction, workflow, day, bytes, max).await? {
            return Ok(());
        }
        let message = format!(
            "The events of this workflow may have {mebibytes} MiB in a day (UTC), and have them today"
        );
        let wait = Duration::from_millis(((day + 1) * DAY - now).unsigned_abs());
        Err(Error::new(Reason::RateLimited, message).retry_after(wait))
    }
}
