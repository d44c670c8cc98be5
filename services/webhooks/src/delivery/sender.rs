//! One attempt of a delivery (contract: events, "Delivery").

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use guildhall_runtime::{Result, Timestamp};
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::{Instant, timeout_at};

use super::{
    address::{NotPublic, Reach},
    connector::{self, Connector},
    receiver::{Receiver, Unsendable},
    request::{OutgoingEvent, signed},
};
use crate::{
    domain::retry::Verdict,
    store::deliveries::attempts::{MAX_ANSWER, answer_text},
};

/// How much of an answer is read, in bytes: a character has at most four.
const MAX_BODY: usize = 4 * MAX_ANSWER;
/// How long the rest of an answer is waited for once its head is there.
const BODY: Duration = Duration::from_secs(1);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(15);
/// How much of an answer is looked at in one go.
const BUFFER: usize = 64 * 1024;
/// Why a delivery is not sent of which no request can be made.
const UNWRITABLE: &str = "the stored event cannot be written as a request";
/// The longest description of a failure, in characters.
const MAX_ERROR: usize = 255;

/// What a receiver said.
#[derive(Debug)]
pub struct Answer {
    /// What it means.
    pub verdict: Verdict,
    /// The status of the answer; none when there was none.
    pub status: Option<u16>,
    /// The beginning of the answer's body, as text.
    pub body: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What an attempt came to.
#[derive(Debug)]
pub struct Attempt {
    /// What the receiver said.
    pub answer: Answer,
    /// When it began.
    pub began_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
}

impl Attempt {
    /// One that was never begun.
    #[must_use]
    pub fn unsendable(unsendable: &Unsendable) -> Self {
        Self {
            answer: Answer::none(Verdict::Unsendable, unsendable.to_string()),
            began_at: Timestamp::now(),
            duration: Duration::ZERO,
        }
    }
}

impl Answer {
    /// There was none.
    fn none(verdict: Verdict, error: String) -> Self {
        Self {
            verdict,
            status: None,
            body: None,
            error: Some(error),
        }
    }
}

/// Makes attempts. Redirects are not followed, and no proxy of the environment is used.
#[derive(Debug)]
pub struct Sender {
    client: Client<Connector, Full<Bytes>>,
    reach: Reach,
    patience: Duration,
}

impl Sender {
    /// A sender whose attempts take `patience` at most.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(reach: Reach, patience: Duration) -> Result<Self> {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(BUFFER)
            .build(connector::connector(reach)?);
        Ok(Self {
            client,
            reach,
            patience,
        })
    }

    /// Tells a receiver of an event.
    pub async fn attempt(&self, receiver: &Receiver, event: OutgoingEvent<'_>) -> Attempt {
        let (began, began_at) = (Instant::now(), Timestamp::now());
        let deadline = began + self.patience;
        let answer = match signed(receiver, event, began_at) {
            Ok(signed) => match self.send(receiver, signed, deadline).await {
                Ok(response) => judged(response, deadline).await,
                Err(error) => Answer::none(Verdict::Failed(None), error),
            },
            Err(error) => {
                error.log();
                Answer::none(Verdict::Unsendable, UNWRITABLE.to_owned())
            }
        };
        Attempt {
            answer,
            began_at,
            duration: began.elapsed(),
        }
    }

    /// The head of the answer, or why there is none.
    async fn send(
        &self,
        receiver: &Receiver,
        (headers, body): (HeaderMap, Bytes),
        deadline: Instant,
    ) -> Result<Response<Incoming>, String> {
        self.reach
            .check(&receiver.url)
            .map_err(|error| error.to_string())?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = receiver.uri.clone();
        *request.headers_mut() = headers;
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(answer) => answer.map_err(|error| described(&error)),
            Err(_) => Err(format!("no answer within {:?}", self.patience)),
        }
    }
}

/// What an answer means, with the beginning of its body.
async fn judged(response: Response<Incoming>, deadline: Instant) -> Answer {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    let verdict = Verdict::of(status, retry_after, SystemTime::now());
    let error = match (verdict, status) {
        (Verdict::Delivered, _) => None,
        (_, 300..=399) => Some(format!("status {status}: redirects are not followed")),
        (_, _) => Some(format!("status {status}")),
    };
    let deadline = deadline.min(Instant::now() + BODY);
    Answer {
        verdict,
        status: Some(status),
        body: Some(answer_text(&beginning(response, deadline).await)),
        error,
    }
}

/// As much of the body as is kept and comes in time. The connection of a longer one is given up.
async fn beginning(response: Response<Incoming>, deadline: Instant) -> Vec<u8> {
    let (mut answer, mut body) = (response.into_body(), Vec::new());
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, answer.frame()).await {
        let chunk = frame.into_data().unwrap_or_default();
        let rest = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(rest)]);
        if chunk.len() > rest {
            break;
        }
    }
    body
}

/// Why there was no answer, without the url, which may hold a secret.
fn described(error: &legacy::Error) -> String {
    let (mut cause, mut next) = (None, error.source());
    while let Some(source) = next {
        if source.is::<NotPublic>() {
            return NotPublic.to_string();
        }
        cause = Some(source);
        next = source.source();
    }
    let what = if error.is_connect() {
        "cannot connect"
    } else {
        "the exchange failed"
    };
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{what}{cause}").chars().take(MAX_ERROR).collect()
}
