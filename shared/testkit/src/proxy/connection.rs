//! One connection and its two directions.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Mode, State,
    trigger::{Trigger, When},
};

/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// Pieces that may be under way in one direction: 1 MiB.
const UNDER_WAY: usize = 64;

/// One connection.
pub(super) struct Connection {
    client: TcpStream,
    server: TcpStream,
    answers: Answers,
}

/// What becomes of the server's answers, and who waits to hear that the reset has happened.
#[derive(Default)]
struct Answers {
    withheld: AtomicBool,
    happened: Mutex<Option<oneshot::Sender<()>>>,
}

/// Bytes and when they shall arrive.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

/// Why a connection has ended before its streams.
enum End {
    /// Both sides are reset.
    Reset,
    /// The client is reset, and the server reads to the end.
    ResetClient,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

impl Connection {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        for side in [&client, &server] {
            let _ = side.set_nodelay(true);
        }
        Self {
            client,
            server,
            answers: Answers::default(),
        }
    }

    /// Carries bytes both ways until both streams have ended, or a reset.
    pub(super) async fn carry(mut self, state: &State, mut resets: watch::Receiver<u64>) {
        let (mut from_client, mut to_client) = self.client.split();
        let (mut from_server, mut to_server) = self.server.split();
        let answers = &self.answers;
        let up = async {
            let (send, receive) = mpsc::channel(UNDER_WAY);
            let read = read_requests(&mut from_client, send, state, answers);
            let write = write(&mut to_server, receive, state);
            match tokio::try_join!(read, write)?.0 {
                Some(end) => Err(end),
                None => Ok(()),
            }
        };
        let down = async {
            let (send, receive) = mpsc::channel(UNDER_WAY);
            let read = read_answers(&mut from_server, send, &state.mode, answers);
            let write = write(&mut to_client, receive, state);
            tokio::try_join!(read, write)
        };
        let end = tokio::select! {
            ended = async { tokio::try_join!(up, down) } => ended.err(),
            _ = resets.changed() => Some(End::Reset),
        };
        self.close(end);
    }

    fn close(self, end: Option<End>) {
        let reset = match end {
            None => [None, None],
            Some(End::ResetClient) => [Some(&self.client), None],
            Some(End::Reset) => [Some(&self.client), Some(&self.server)],
        };
        for side in reset.into_iter().flatten() {
            let _ = side.set_zero_linger();
        }
        drop((self.client, self.server));
        let happened = self.answers.happened.into_inner().expect("no panic");
        if let Some(happened) = happened {
            let _ = happened.send(());
        }
    }
}

/// The client's bytes; an end, when a trigger wants one after what was read has been written.
async fn read_requests(
    client: &mut ReadHalf<'_>,
    send: mpsc::Sender<Piece>,
    state: &State,
    answers: &Answers,
) -> Result<Option<End>, End> {
    let mut sent = Vec::new();
    while let Some(bytes) = read(client).await? {
        sent.extend_from_slice(&bytes);
        let caught = state.triggers.fire(&sent, bytes.len());
        sent.drain(..sent.len().saturating_sub(state.triggers.memory()));
        let Some(Trigger { when, happened, .. }) = caught else {
            forward(&send, bytes, &state.mode).await;
            continue;
        };
        *answers.happened.lock().expect("no panic") = Some(happened);
        match when {
            When::BeforeForwarding => return Err(End::Reset),
            When::BeforeAnswering => answers.withheld.store(true, Ordering::Relaxed),
            When::AfterForwarding => {
                forward(&send, bytes, &state.mode).await;
                return Ok(Some(End::ResetClient));
            }
        }
        forward(&send, bytes, &state.mode).await;
    }
    Ok(None)
}

async fn read_answers(
    server: &mut ReadHalf<'_>,
    send: mpsc::Sender<Piece>,
    mode: &watch::Sender<Mode>,
    answers: &Answers,
) -> Result<(), End> {
    while let Some(bytes) = read(server).await? {
        if answers.withheld.load(Ordering::Relaxed) {
            return Err(End::Reset);
        }
        forward(&send, bytes, mode).await;
    }
    Ok(())
}

async fn read(side: &mut ReadHalf<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(PIECE);
    let count = side.read_buf(&mut bytes).await?;
    Ok((count > 0).then_some(bytes))
}

async fn forward(send: &mpsc::Sender<Piece>, bytes: Vec<u8>, mode: &watch::Sender<Mode>) {
    let delay = match *mode.borrow() {
        Mode::Delay(delay) => delay,
        Mode::Pass | Mode::Blackhole | Mode::Refuse => Duration::ZERO,
    };
    let due = Instant::now() + delay;
    // A writer that is gone has failed, and its failure ends the connection.
    let _ = send.send(Piece { due, bytes }).await;
}

async fn write(
    side: &mut WriteHalf<'_>,
    mut receive: mpsc::Receiver<Piece>,
    state: &State,
) -> Result<(), End> {
    let mut mode = state.mode.subscribe();
    while let Some(piece) = receive.recv().await {
        tokio::time::sleep_until(piece.due).await;
        // The sender of modes lives as long as the connection.
        let _ = mode.wait_for(|mode| *mode != Mode::Blackhole).await;
        side.write_all(&piece.bytes).await?;
        let count = piece.bytes.len();
        state.carried.send_modify(|carried| *carried += count);
    }
    let _ = mode.wait_for(|mode| *mode != Mode::Blackhole).await;
    // Who is gone already needs no end of the stream.
    let _ = side.shutdown().await;
    Ok(())
}
