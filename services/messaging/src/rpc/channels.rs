use guildhall_auth::CallerExt;
use guildhall_proto::messaging::v1::{
    CreateChannelRequest, CreateChannelResponse, GetChannelRequest, GetChannelResponse,
    ListChannelsRequest, ListChannelsResponse, channel_service_server::ChannelService,
};
use tonic::{Request, Response, Status};

use crate::Messaging;

#[tonic::async_trait]
impl ChannelService for Messaging {
    async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Result<Response<ListChannelsResponse>, Status> {
        let caller = request.caller()?;
        let response = self.list_channels(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn get_channel(
        &self,
        request: Request<GetChannelRequest>,
    ) -> Result<Response<GetChannelResponse>, Status> {
        let caller = request.caller()?;
        let response = self.get_channel(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn create_channel(
        &self,
        request: Request<CreateChannelRequest>,
    ) -> Result<Response<CreateChannelResponse>, Status> {
        Ok(self.add_channel(request).await?)
    }
}
