//! A limit for the frames of HTTP/2 that carry nothing: PING, SETTINGS, WINDOW_UPDATE and the like.
//!
//! `h2` answers or processes each of them, however many there are, and they are not requests that
//! anybody would count.

use std::time::Instant;

use super::protocol::PREFACE_LEN;

/// Such frames that a client may send at once, and as many again in this many seconds.
const BURST: u64 = 500;
const REFILL: u64 = 10;
/// How many more it may send for each frame that carries something.
const PER_USEFUL: u64 = 4;
/// For how many bytes of ours it may send one more: who receives much sends many WINDOW_UPDATEs.
/// More than the answer to a PING has, which must not pay for the next.
const BYTES_PER_FRAME: u64 = 64;

const HEADER_LEN: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// How many such frames the client of a connection may still send.
pub(super) struct ControlFrames {
    left: u64,
    refilled_at: Instant,
    /// Bytes of the current frame, or of the preface, that are still to come.
    payload: usize,
    header: [u8; HEADER_LEN],
    header_read: usize,
    /// Bytes of ours that have not paid for a frame yet.
    written: u64,
}

impl ControlFrames {
    /// Those of a new connection.
    pub fn new() -> Self {
        Self {
            left: BURST,
            refilled_at: Instant::now(),
            payload: PREFACE_LEN,
            header: [0; HEADER_LEN],
            header_read: 0,
            written: 0,
        }
    }

    /// Counts the frames in the next bytes of the connection; false when they are too many.
    pub fn read(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let missing = HEADER_LEN - self.header_read;
            let taken = missing.min(bytes.len());
            self.header[self.header_read..][..taken].copy_from_slice(&bytes[..taken]);
            self.header_read += taken;
            bytes = &bytes[taken..];
            if self.header_read == HEADER_LEN && !self.frame() {
                return false;
            }
        }
        true
    }

    /// Counts the frame whose header is complete.
    fn frame(&mut self) -> bool {
        self.header_read = 0;
        let [high, middle, low, kind, ..] = self.header;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if kind == HEADERS || (kind == DATA && self.payload > 0) {
            self.earn(PER_USEFUL);
            return true;
        }
        if self.left == 0 {
            self.refill();
        }
        let has_room = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_room
    }

    fn refill(&mut self) {
        let seconds = self.refilled_at.elapsed().as_secs();
        if seconds > 0 {
            self.refilled_at = Instant::now();
            self.earn(seconds.saturating_mul(BURST / REFILL));
        }
    }

    fn earn(&mut self, frames: u64) {
        self.left = self.left.saturating_add(frames).min(BURST);
    }

    /// Counts bytes of ours, for which the client may send more.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
        self.earn(self.written / BYTES_PER_FRAME);
        self.written %= BYTES_PER_FRAME;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn begun() -> ControlFrames {
        let mut budget = ControlFrames::new();
        assert!(budget.read(&[0; PREFACE_LEN]));
        budget
    }

    fn frame(kind: u8, payload: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, payload, kind, 0, 0, 0, 0, 0];
        frame.extend(std::iter::repeat_n(0, payload.into()));
        frame
    }

    #[test]
    fn a_flood_ends_wherever_the_reads_cut_the_frames() {
        let flood: Vec<u8> = (0..BURST * 2).flat_map(|_| frame(PING, 8)).collect();
        for size in [1, 7, 16, 17, 4096, flood.len()] {
            let mut budget = begun();
            let read = flood.chunks(size).position(|bytes| !budget.read(bytes));
            let read = read.expect("the flood goes on for ever") * size;
            assert!(read <= (BURST as usize + 1) * 17, "{size}: {read}");
        }
    }

    #[test]
    fn who_sends_requests_and_reads_answers_is_never_cut_off() {
        let mut budget = begun();
        for _ in 0..BURST * 4 {
            assert!(budget.read(&frame(HEADERS, 30)));
            assert!(budget.read(&frame(8, 4)) && budget.read(&frame(8, 4)));
            assert!(budget.read(&frame(PING, 8)));
        }
        for _ in 0..BURST * 4 {
            budget.wrote(16 * 1024);
            assert!(budget.read(&frame(8, 4)) && budget.read(&frame(8, 4)));
        }
    }

    #[test]
    fn the_answers_to_pings_do_not_pay_for_more() {
        let mut budget = begun();
        let pings = (0..BURST * 3).take_while(|_| {
            budget.wrote(17);
            budget.read(&frame(PING, 8))
        });
        assert!(pings.count() < BURST as usize * 3 / 2);
    }

    #[test]
    fn empty_data_is_no_request() {
        let mut budget = begun();
        let empty = (0..BURST * 2).take_while(|_| budget.read(&frame(DATA, 0)));
        assert_eq!(empty.count(), BURST as usize);
    }
}
