use guildhall_auth::CallerExt;
use guildhall_proto::messaging::v1::{
    CreateTopicRequest, CreateTopicResponse, ListTopicsRequest, ListTopicsResponse,
    topic_service_server::TopicService,
};
use tonic::{Request, Response, Status};

use crate::Messaging;

#[tonic::async_trait]
impl TopicService for Messaging {
    async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>, Status> {
        Ok(self.add_topic(request).await?)
    }

    async fn list_topics(
        &self,
        request: Request<ListTopicsRequest>,
    ) -> Result<Response<ListTopicsResponse>, Status> {
        let caller = request.caller()?;
        let response = self.list_topics(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
