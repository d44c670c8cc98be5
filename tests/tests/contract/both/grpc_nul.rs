//! A NUL in any text of any request is refused, or finds nothing: PostgreSQL takes none, so it must
//! not get that far.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "foreign enums: texts and messages are what matters here"
)]

use std::time::Duration;

use guildhall_proto::DESCRIPTORS;
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, Differences};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};
use tonic::{Code, client::Grpc};
use tonic_prost::ProstCodec;

/// Our messages are not nested deeper; a JSON value could be without end.
const DEPTH: usize = 4;
/// How long a call may take; a stream that was opened is not read.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The ways to the texts of a message.
fn texts_of(message: &MessageDescriptor, depth: usize) -> Vec<Vec<FieldDescriptor>> {
    let mut found = Vec::new();
    for field in message.fields().filter(|field| !field.is_map()) {
        let inner = match field.kind() {
            Kind::String => vec![Vec::new()],
            Kind::Message(of) if depth < DEPTH => texts_of(&of, depth + 1),
            _ => Vec::new(),
        };
        found.extend(
            inner
                .into_iter()
                .map(|rest| [vec![field.clone()], rest].concat()),
        );
    }
    found
}

/// Puts a text with NUL into the field at the end of `way`.
fn put(message: &mut DynamicMessage, way: &[FieldDescriptor]) {
    let Some((field, rest)) = way.split_first() else {
        return;
    };
    let value = match field.kind() {
        Kind::Message(of) => {
            let mut inner = match message.get_field(field).as_ref() {
                Value::Message(inner) => inner.clone(),
                _ => DynamicMessage::new(of),
            };
            put(&mut inner, rest);
            Value::Message(inner)
        }
        _ => Value::String("a\0b".into()),
    };
    let value = match field.is_list() {
        true => Value::List(vec![value]),
        false => value,
    };
    message.set_field(field, value);
}

/// A request that gets far, where such values do.
fn plausible(of: &MessageDescriptor, channel: &str) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of
        .fields()
        .filter(|field| field.containing_oneof().is_none())
    {
        let text = match field.name() {
            "channel" | "channel_id" => channel,
            "sender" | "user" => "ada",
            "text" => "Hi",
            "topic" | "title" | "name" | "display_name" => "Name",
            "emoji" => "👍",
            "url" => "https://example.com/",
            "permissions" => "sendMessage",
            "password" => "password",
            _ => "",
        };
        let value = match field.kind() {
            Kind::String if !text.is_empty() => Value::String(text.into()),
            Kind::Message(inner)
                if !field.is_list() && inner.full_name().starts_with("guildhall") =>
            {
                Value::Message(plausible(&inner, channel))
            }
            Kind::Enum(_) if field.name() == "type" => Value::EnumNumber(1),
            _ => continue,
        };
        match field.is_list() {
            true => message.set_field(&field, Value::List(vec![value])),
            false => message.set_field(&field, value),
        }
    }
    message
}

async fn code_of(
    community: &Community,
    method: &MethodDescriptor,
    request: DynamicMessage,
    by: &str,
) -> Code {
    let service = method.parent_service().full_name().to_owned();
    let path = format!("/{service}/{}", method.name()).parse().unwrap();
    let mut client = Grpc::new(community.services.of(&service));
    client.ready().await.unwrap();
    let codec = ProstCodec::<DynamicMessage, ()>::default();
    let call = client.unary(signed(request, by), path, codec);
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Err(status)) => status.code(),
        Ok(Ok(_)) | Err(_) => Code::Ok,
    }
}

#[tokio::test]
async fn a_nul_is_the_fault_of_its_caller_in_every_text_of_every_rpc() {
    let community = Community::start().await;
    let channel = community.demo.channel("general");
    let credentials = [
        format!("Bearer {}", community.demo.api_key),
        format!("Bearer {}", community.demo.user("johndoe").jwt),
        format!("SystemKey {}", community.demo.system_api_key),
        format!("SendbirdToken {}", community.demo.sendbird.api_token),
    ];
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let methods = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    let (mut differences, mut asked) = (Differences::default(), 0);
    for method in methods.filter(|method| !method.is_server_streaming()) {
        let input = method.input();
        for way in texts_of(&input, 0) {
            for mut request in [
                DynamicMessage::new(input.clone()),
                plausible(&input, channel),
            ] {
                put(&mut request, &way);
                for by in &credentials {
                    let code = code_of(&community, &method, request.clone(), by).await;
                    let ours = [Code::Internal, Code::Unknown, Code::DataLoss];
                    let what = way.iter().map(|field| field.name().to_owned());
                    let what = what.collect::<Vec<_>>().join(".");
                    let what = format!("{} {what}", method.full_name());
                    differences.expect(!ours.contains(&code), what, code);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    differences.assert_none();
}
