//! A receiver of webhooks that answers what it is told to.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc},
    time::timeout,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// How a call is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// With this status and `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With a redirect to there.
    Redirect(String),
    /// With 200 and so many bytes.
    Body(usize),
    /// With 200, after so long.
    After(Duration),
    /// Not at all.
    Never,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
}

impl Call {
    /// A header that it has.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a receiver that works")
    }

    /// Its body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a receiver that works")
    }
}

/// The receiver; it goes with the runtime of its test.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    script: Arc<Mutex<VecDeque<Answer>>>,
    otherwise: Arc<Mutex<Answer>>,
    calls: AsyncMutex<mpsc::UnboundedReceiver<Call>>,
}

#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<VecDeque<Answer>>>,
    otherwise: Arc<Mutex<Answer>>,
    calls: mpsc::UnboundedSender<Call>,
}

impl Receiver {
    /// One that answers 200.
    pub async fn start() -> Self {
        let (calls, received) = mpsc::unbounded_channel();
        let shared = Shared {
            script: Arc::default(),
            otherwise: Arc::new(Mutex::new(Answer::Status(200))),
            calls,
        };
        let (script, otherwise) = (Arc::clone(&shared.script), Arc::clone(&shared.otherwise));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a receiver that works");
        let port = listener.local_addr().expect("a receiver that works").port();
        let router = Router::new().fallback(answer).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            port,
            script,
            otherwise,
            calls: AsyncMutex::new(received),
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its url with this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next calls are answered so, one after the other.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script
            .lock()
            .expect("a receiver that works")
            .extend(answers);
    }

    /// All calls that the script does not cover are answered so.
    pub fn answer_always(&self, answer: Answer) {
        *self.otherwise.lock().expect("a receiver that works") = answer;
    }

    /// The next call.
    pub async fn call(&self) -> Call {
        let mut calls = self.calls.lock().await;
        let call = timeout(TIMEOUT, calls.recv()).await;
        call.unwrap_or_else(|_| panic!("no call came"))
            .expect("a receiver that works")
    }

    /// The next calls.
    pub async fn calls(&self, number: usize) -> Vec<Call> {
        let mut calls = Vec::with_capacity(number);
        for _ in 0..number {
            calls.push(self.call().await);
        }
        calls
    }

    /// Whether no call has come that was not looked at.
    pub async fn is_quiet(&self) -> bool {
        self.calls.lock().await.try_recv().is_err()
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let _ = shared.calls.send(Call { headers, body });
    let scripted = shared
        .script
        .lock()
        .expect("a receiver that works")
        .pop_front();
    let answer = scripted.unwrap_or_else(|| {
        shared
            .otherwise
            .lock()
            .expect("a receiver that works")
            .clone()
    });
    let with = |status: u16| {
        Response::builder().status(StatusCode::from_u16(status).expect("a receiver that works"))
    };
    let response = match answer {
        Answer::Status(status) => with(status).body(Body::from("noted")),
        Answer::RetryAfter(status, after) => with(status)
            .header("retry-after", after)
            .body(Body::empty()),
        Answer::Redirect(to) => with(307).header("location", to).body(Body::empty()),
        Answer::Body(length) => with(200).body(Body::from(vec![b'x'; length])),
        Answer::After(delay) => {
            tokio::time::sleep(delay).await;
            with(200).body(Body::empty())
        }
        Answer::Never => pending().await,
    };
    response.expect("a receiver that works")
}
