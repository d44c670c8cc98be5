//! Gets and lists channels.

use guildhall_auth::{Authority, Caller, CallerExt, ChannelLimit};
use guildhall_data::{PageRequest, page::Limits};
use guildhall_proto::messaging::v1::{
    GetChannelRequest, GetChannelResponse, ListChannelsRequest, ListChannelsResponse,
};
use guildhall_runtime::Result;
use guildhall_types::ProtoEnum as _;
use tonic::{Request, Response};

use crate::{
    Messaging,
    domain::{ChannelKind, access::channel_not_found},
    present,
    store::channels::{self, Direct, Scope},
};

/// Channels of a page.
const LIMITS: Limits = Limits {
    default_size: 500,
    max_size: 500,
    max_skip: 0,
};

impl Messaging {
    /// The channel that a request names, if the caller may read it.
    ///
    /// # Errors
    /// CHANNEL_NOT_FOUND, CHANNEL_NOT_ALLOWED.
    pub(crate) async fn get_channel(
        &self,
        request: Request<GetChannelRequest>,
    ) -> Result<Response<GetChannelResponse>> {
        let caller = request.caller()?;
        let channel = &request.get_ref().channel;
        let channel = self.readable_channel(&caller, channel).await?;
        // The response has the current counter, which is not cached.
        let reader = self.0.database.reader();
        let record = channels::find(reader, caller.community, channel.id).await?;
        let channel = Some(present::channel(record.ok_or_else(channel_not_found)?));
        Ok(Response::new(GetChannelResponse { channel }))
    }

    /// A page of the channels that the caller may list, oldest first.
    ///
    /// # Errors
    /// INVALID_VALUE for a wrong page size or token, or an unknown type.
    pub(crate) async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Result<Response<ListChannelsResponse>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let page = PageRequest::parse(LIMITS, request.page_size, &request.page_token, 0)?;
        let kind = ChannelKind::read("type", request.r#type)?;
        let scope = scope(&caller, kind);
        let reader = self.0.database.reader();
        let page = channels::list(reader, caller.community, scope, &page).await?;
        let page = page.map(present::channel);
        Ok(Response::new(ListChannelsResponse {
            channels: page.rows,
            next_page_token: page.next_page_token,
        }))
    }
}

/// The channels that the caller may list.
fn scope(caller: &Caller, kind: Option<ChannelKind>) -> Scope<'_> {
    let direct = match &caller.authority {
        Authority::SystemKey { .. } | Authority::SendbirdToken { .. } => Direct::All,
        Authority::CommunityKey { .. } => Direct::None,
        Authority::UserKey { owner, .. } => Direct::Of(*owner),
        Authority::Member { user, .. } => Direct::Of(*user),
    };
    let only = match caller.channels() {
        ChannelLimit::Any => None,
        ChannelLimit::Only(channels) => Some(&**channels),
    };
    Scope { kind, direct, only }
}
