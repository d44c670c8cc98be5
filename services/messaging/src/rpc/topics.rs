use guildhall_proto::messaging::v1::{
    CreateTopicRequest, CreateTopicResponse, ListTopicsRequest, ListTopicsResponse,
    topic_service_server::TopicService,
};
use guildhall_service::forward;

use crate::Messaging;

forward! {
    TopicService for Messaging {
        create_topic(CreateTopicRequest) -> CreateTopicResponse;
        list_topics(ListTopicsRequest) -> ListTopicsResponse;
    }
}
