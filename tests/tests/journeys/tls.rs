//! mTLS between the processes of a cluster: it works, and nobody without a certificate gets in.

use std::fs;

use guildhall_proto::messaging::v1::{
    ListChannelsRequest, channel_service_client::ChannelServiceClient,
};
use guildhall_testkit::{Cluster, Plan, cluster::Certificates, grpc::signed};
use serde_json::json;
use tonic::{
    Status,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

fn authority(certificates: &Certificates) -> ClientTlsConfig {
    let ca = Certificate::from_pem(fs::read(&certificates.ca).unwrap());
    ClientTlsConfig::new().ca_certificate(ca)
}

/// Lists channels over an own connection; nothing when none comes about.
async fn channels(cluster: &Cluster, endpoint: Endpoint) -> Option<usize> {
    let channel = endpoint.connect().await.ok()?;
    let key = format!("Bearer {}", cluster.demo().api_key);
    let request = signed(ListChannelsRequest::default(), &key);
    let answer: Result<_, Status> = ChannelServiceClient::new(channel)
        .list_channels(request)
        .await;
    Some(answer.ok()?.into_inner().channels.len())
}

#[tokio::test]
async fn processes_speak_tls_and_strangers_are_refused() {
    let tls = Plan {
        tls: true,
        ..Plan::default()
    };
    let cluster = Cluster::start_with(tls).await;
    let demo = cluster.demo();
    assert!(demo.grpc_url.starts_with("https://"), "{}", demo.grpc_url);
    let general = demo.channel("general");
    let body = json!({ "channelId": general, "message": "Sealed", "sender": "ada" });
    let sent = cluster
        .rest()
        .post("/v1/messages/send")
        .bearer(&demo.api_key);
    sent.json(&body).send().await.expect(200);
    let ready = cluster.rest().get("/readyz").send().await;
    assert_eq!(ready.status, 200, "{}", ready.body);

    let certificates = cluster.certificates.clone().unwrap();
    let (cert, key) = (fs::read(&certificates.cert), fs::read(&certificates.key));
    let identity = Identity::from_pem(cert.unwrap(), key.unwrap());
    let at = |url: &str| Endpoint::from_shared(url.to_owned()).unwrap();
    let known = at(&demo.grpc_url).tls_config(authority(&certificates).identity(identity));
    let found = channels(&cluster, known.unwrap()).await;
    assert!(found.is_some_and(|count| count > 0), "{found:?}");
    let nameless = at(&demo.grpc_url).tls_config(authority(&certificates));
    assert_eq!(channels(&cluster, nameless.unwrap()).await, None);
    let plain = at(&demo.grpc_url.replace("https://", "http://"));
    assert_eq!(channels(&cluster, plain).await, None);
}
