use guildhall_proto::messaging::v1::{
    AddReactionRequest, AddReactionResponse, ListReactionsRequest, ListReactionsResponse,
    RemoveReactionRequest, RemoveReactionResponse, reaction_service_server::ReactionService,
};
use guildhall_service::forward;

use crate::Messaging;

forward! {
    ReactionService for Messaging {
        add_reaction(AddReactionRequest) -> AddReactionResponse;
        remove_reaction(RemoveReactionRequest) -> RemoveReactionResponse;
        list_reactions(ListReactionsRequest) -> ListReactionsResponse;
    }
}
