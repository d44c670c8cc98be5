//! Lists the topics of a forum channel.

use std::sync::Arc;

use guildhall_auth::{Caller, CallerExt};
use guildhall_data::{PageRequest, id, page::Limits};
use guildhall_proto::messaging::v1::{ListTopicsRequest, ListTopicsResponse};
use guildhall_runtime::{Error, Reason, Result};
use tonic::{Request, Response};

use super::lookup::require;
use crate::{
    Messaging,
    domain::{Channel, ChannelKind, access::may_read},
    present,
    store::topics,
};

/// Topics of a page.
const LIMITS: Limits = Limits {
    default_size: 20,
    max_size: 100,
    max_skip: 0,
};

impl Messaging {
    /// A page of the topics of a forum channel, newest first.
    ///
    /// # Errors
    /// INVALID_VALUE for a wrong page size or token, CHANNEL_NOT_FOUND, WRONG_STATE for a channel
    /// that is not a forum.
    pub(crate) async fn list_topics(
        &self,
        request: Request<ListTopicsRequest>,
    ) -> Result<Response<ListTopicsResponse>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let (size, token) = (request.page_size, &request.page_token);
        let page = PageRequest::parse(LIMITS, size, token, 0)?;
        let channel = self.readable_forum(&caller, &request.channel_id).await?;
        let (reader, community) = (self.0.database.reader(), caller.community);
        let page = topics::list(reader, community, channel.id, &page).await?;
        let page = page.map(present::topic);
        Ok(Response::new(ListTopicsResponse {
            topics: page.rows,
            next_page_token: page.next_page_token,
        }))
    }

    /// The forum channel with this id, if the caller may read it.
    pub(super) async fn readable_forum(&self, caller: &Caller, id: &str) -> Result<Arc<Channel>> {
        require("channel_id", id)?;
        let id = id::parse("channel_id", id)?;
        let channel = self.0.channels.get(caller.community, id).await?;
        may_read(&caller.authority, &channel)?;
        match channel.kind {
            ChannelKind::Forum => Ok(channel),
            ChannelKind::Open | ChannelKind::Announcement | ChannelKind::Dm => {
                Err(Error::new(Reason::WrongState, "The channel is not a forum"))
            }
        }
    }
}
