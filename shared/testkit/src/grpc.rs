//! Calls of the services.

use tonic::{Request, metadata::MetadataValue, transport::Channel};

use crate::Platform;

/// A connection to the platform's services.
pub async fn connect(platform: &Platform) -> Channel {
    let endpoint = Channel::from_shared(platform.grpc().to_owned()).expect("an address");
    endpoint.connect().await.expect("a connection")
}

/// A request with `authorization: <credential>`, e.g. `Bearer …` or `SystemKey …`.
pub fn signed<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(credential).expect("a printable credential");
    request.metadata_mut().insert("authorization", value);
    request
}
