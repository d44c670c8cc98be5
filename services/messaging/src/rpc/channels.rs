use guildhall_proto::messaging::v1::{
    CreateChannelRequest, CreateChannelResponse, GetChannelRequest, GetChannelResponse,
    ListChannelsRequest, ListChannelsResponse, channel_service_server::ChannelService,
};
use guildhall_service::forward;

use crate::Messaging;

forward! {
    ChannelService for Messaging {
        list_channels(ListChannelsRequest) -> ListChannelsResponse;
        get_channel(GetChannelRequest) -> GetChannelResponse;
        create_channel(CreateChannelRequest) -> CreateChannelResponse;
    }
}
