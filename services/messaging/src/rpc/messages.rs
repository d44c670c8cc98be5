use guildhall_auth::CallerExt;
use guildhall_proto::messaging::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse,
    PostWebhookMessageRequest, PostWebhookMessageResponse, ReplyMessageRequest,
    ReplyMessageResponse, SendMessageRequest, SendMessageResponse, WatchMessagesRequest,
    message_service_server::MessageService,
};
use tonic::{Request, Response, Status};

use crate::{Messaging, actions::MessageStream};

#[tonic::async_trait]
impl MessageService for Messaging {
    type WatchMessagesStream = MessageStream;

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        Ok(self.send(request).await?)
    }

    async fn post_webhook_message(
        &self,
        request: Request<PostWebhookMessageRequest>,
    ) -> Result<Response<PostWebhookMessageResponse>, Status> {
        Ok(self.post_from_webhook(request).await?)
    }

    async fn reply_message(
        &self,
        request: Request<ReplyMessageRequest>,
    ) -> Result<Response<ReplyMessageResponse>, Status> {
        Ok(self.reply(request).await?)
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        let caller = request.caller()?;
        let response = self.get_message(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = request.caller()?;
        let response = self.list_messages(&caller, &request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn watch_messages(
        &self,
        request: Request<WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let caller = request.caller()?;
        let stream = self.watch_messages(&caller, request.into_inner()).await?;
        Ok(Response::new(stream))
    }
}
