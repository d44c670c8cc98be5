//! Export by OTLP, as the standard variables of OpenTelemetry say.

use std::{
    env,
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{SpanExporter as Otlp, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use tonic::transport::{Certificate, ClientTlsConfig};

use super::BoxError;

/// The variables that say where the collector is; the first that is given counts.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// The variables that name a file with the authorities of its certificate.
const AUTHORITIES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];

/// How long the end of a process waits for the collector.
const FLUSH: Duration = Duration::from_secs(3);

/// Links of a span unless the variables say: as many as a commit stores at most.
const MAX_LINKS: u32 = 512;

/// How often the log says that the collector takes nothing.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What makes and exports spans, when the variables ask for it. Sampler, limits and the bounds of
/// the queue are read by the SDK itself.
pub(super) fn provider() -> Result<Option<SdkTracerProvider>, BoxError> {
    if !is_wanted()? {
        return Ok(None);
    }
    let exporter = Patient {
        collector: collector()?,
        warned_at: Mutex::new(None),
    };
    let mut provider = SdkTracerProvider::builder();
    if variable("OTEL_SPAN_LINK_COUNT_LIMIT").is_none() {
        // A commit is linked to all requests that it stores.
        provider = provider.with_max_links_per_span(MAX_LINKS);
    }
    let provider = provider
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .with_resource(resource())
        .build();
    Ok(Some(provider))
}

/// The client of the collector; an endpoint without a scheme is spoken to over TLS.
fn collector() -> Result<Otlp, BoxError> {
    let client = Otlp::builder().with_tonic();
    let client = if endpoint().is_some_and(|it| !it.starts_with("http://")) {
        client.with_tls_config(tls()?)
    } else {
        client
    };
    // The error repeats the endpoint, and with it a password that may stand in it.
    client.build().map_err(|_| {
        let [first, second] = ENDPOINTS;
        let wrong = "no address of the form https://HOST:PORT, or no authority to trust";
        format!("{first} or {second}: {wrong}").into()
    })
}

/// Trusts the authorities that a variable names, else those of the system: an image without any
/// needs none.
fn tls() -> Result<ClientTlsConfig, BoxError> {
    let authority = AUTHORITIES
        .into_iter()
        .find_map(|name| Some((name, variable(name)?)));
    let Some((name, path)) = authority else {
        return Ok(ClientTlsConfig::new().with_enabled_roots());
    };
    let pem = std::fs::read(&path).map_err(|error| format!("{name}={path}: {error}"))?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// Where the collector is.
fn endpoint() -> Option<String> {
    ENDPOINTS.into_iter().find_map(variable)
}

/// Whether traces are exported: when an endpoint is given, or the exporter itself.
fn is_wanted() -> Result<bool, BoxError> {
    if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(false);
    }
    let wanted = match variable("OTEL_TRACES_EXPORTER").as_deref() {
        None => endpoint().is_some(),
        Some("otlp") => true,
        Some("none") => false,
        Some(other) => {
            return Err(format!("OTEL_TRACES_EXPORTER={other}: `otlp` or `none`").into());
        }
    };
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    match protocol.as_deref() {
        Some(other) if wanted && other != "grpc" => {
            Err(format!("OTLP over {other} is not spoken here: `grpc`").into())
        }
        Some(_) | None => Ok(wanted),
    }
}

/// An empty variable is none (OpenTelemetry, "Environment variables").
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// Who we are; without a name given, the name of the binary.
fn resource() -> Resource {
    let given = Resource::builder().build();
    let name = opentelemetry::Key::from_static_str("service.name");
    let unknown = |name: &Value| name.as_str().starts_with("unknown_service");
    if given.get(&name).is_some_and(|name| !unknown(&name)) {
        return given;
    }
    let binary = env::current_exe().ok();
    let binary = binary
        .as_deref()
        .and_then(|path| path.file_stem()?.to_str());
    let binary = binary.unwrap_or("guildhall").to_owned();
    Resource::builder()
        .with_attribute(KeyValue::new(name, binary))
        .build()
}

/// Exports what is left. On a thread of its own, because the SDK blocks it; and in time, because
/// its client does not always end with it.
pub(super) async fn flush(provider: SdkTracerProvider) {
    let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
    match tokio::time::timeout(FLUSH, flush).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => tracing::warn!("the last traces were not exported"),
    }
}

/// A collector that may be away: traces are dropped then, and the log says so now and then.
#[derive(Debug)]
struct Patient {
    collector: Otlp,
    warned_at: Mutex<Option<Instant>>,
}

impl SpanExporter for Patient {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.collector.export(batch).await;
        if let Err(error) = &exported {
            let mut warned_at = self.warned_at.lock();
            if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                *warned_at = Some(Instant::now());
                tracing::warn!(%error, spans, "the collector takes no traces: they are dropped");
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.collector.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.collector.set_resource(resource);
    }
}
