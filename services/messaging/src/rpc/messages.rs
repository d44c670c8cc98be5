//! The message service: [`super::post`] writes, [`super::list_messages`] and [`super::watch`] read.

use guildhall_auth::CallerExt;
use guildhall_proto::messaging::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse,
    PostWebhookMessageRequest, PostWebhookMessageResponse, ReplyMessageRequest,
    ReplyMessageResponse, SendMessageRequest, SendMessageResponse, WatchMessagesRequest,
    message_service_server::MessageService,
};
use guildhall_runtime::Result;
use tonic::{Request, Response, Status};

use super::watch::MessageStream;
use crate::Messaging;

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
        Ok(self.post_from_webhook(request.into_inner()).await?)
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
        let reference = request.into_inner().message;
        let (message, _) = self.readable_message(&caller, reference).await?;
        let message = self.shown(caller.community, vec![message]).await?.pop();
        Ok(Response::new(GetMessageResponse { message }))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.list(&caller, &request.into_inner()).await?,
        ))
    }

    async fn watch_messages(
        &self,
        request: Request<WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.watch(&caller, request.into_inner()).await?,
        ))
    }
}
