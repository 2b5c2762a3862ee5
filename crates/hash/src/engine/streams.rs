//! Algorithms that take a stream in order, several streams at once.

use crate::Digest;
use crate::sha256::{self, BLOCK_BYTES, Block, Lane, Plan};

/// Blocks of room that a buffer has behind what is read into it, for what ends a stream.
pub(super) const ROOM_BLOCKS: usize = 2;

/// What a stream takes next.
pub(super) struct Piece<'a, S> {
    pub(super) state: &'a mut S,
    /// What was read, and [`ROOM_BLOCKS`] behind it.
    pub(super) buffer: &'a mut [Block],
    /// Bytes that were read: whole blocks, but at the end.
    pub(super) length: usize,
    /// The length of the whole stream in bytes, if it ends here.
    pub(super) ends: Option<u64>,
}

/// How fast so many streams are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// How many of them are best taken at once.
    pub(super) lanes: usize,
    /// All of these together, where one stream alone is 1.
    pub(super) rate: f64,
}

/// An algorithm of which a worker hashes several streams at once.
pub(super) trait Streams: Sync {
    type State: Send;

    fn start(&self) -> Self::State;
    fn append(&self, pieces: &mut [Piece<'_, Self::State>]);
    fn digest(&self, state: Self::State) -> Digest;
    /// With so many streams or fewer.
    fn speed(&self, streams: usize) -> Speed;
    /// More streams than this are not faster.
    fn width(&self) -> usize;
}

pub(super) struct Sha256(pub(super) Plan);

impl Streams for Sha256 {
    type State = sha256::State;

    fn start(&self) -> Self::State {
        sha256::State::INITIAL
    }

    fn append(&self, pieces: &mut [Piece<'_, Self::State>]) {
        let mut lanes: Vec<_> = pieces.iter_mut().map(lane).collect();
        sha256::compress_all(&self.0, &mut lanes);
    }

    fn digest(&self, state: Self::State) -> Digest {
        Digest::Sha256(state.digest())
    }

    fn speed(&self, streams: usize) -> Speed {
        let choice = self.0.choice(streams);
        Speed { lanes: choice.lanes, rate: choice.rate }
    }

    fn width(&self) -> usize {
        self.0.width()
    }
}

/// The blocks of a piece, with the padding behind them where the stream ends.
fn lane<'a>(piece: &'a mut Piece<'_, sha256::State>) -> Lane<'a> {
    let whole = piece.length / BLOCK_BYTES;
    let rest = piece.length % BLOCK_BYTES;
    let mut blocks = whole;
    if let Some(length_bytes) = piece.ends {
        let mut begun = [0; BLOCK_BYTES];
        begun[..rest].copy_from_slice(&piece.buffer[whole][..rest]);
        let room = piece.buffer[whole..].first_chunk_mut().expect("a buffer has room for what ends a stream");
        blocks += sha256::padding(&begun[..rest], length_bytes, room);
    } else {
        assert_eq!(rest, 0, "only the end of a stream is no whole block");
    }
    Lane { state: piece.state, blocks: &piece.buffer[..blocks] }
}

pub(super) struct Blake2b;

/// Streams that `blake2b_simd` takes at once where it can.
const BLAKE2B_WIDTH: usize = blake2b_simd::many::MAX_DEGREE;

impl Streams for Blake2b {
    type State = blake2b_simd::State;

    fn start(&self) -> Self::State {
        blake2b_simd::State::new()
    }

    fn append(&self, pieces: &mut [Piece<'_, Self::State>]) {
        let bytes = pieces.iter_mut().map(|piece| (&mut *piece.state, &piece.buffer.as_flattened()[..piece.length]));
        blake2b_simd::many::update_many(bytes);
    }

    fn digest(&self, state: Self::State) -> Digest {
        Digest::Blake2b(Box::new(*state.finalize().as_array()))
    }

    fn speed(&self, streams: usize) -> Speed {
        let is_full = streams >= BLAKE2B_WIDTH && blake2b_simd::many::degree() >= BLAKE2B_WIDTH;
        if is_full { Speed { lanes: BLAKE2B_WIDTH, rate: 2.5 } } else { Speed { lanes: 1, rate: 1.0 } }
    }

    fn width(&self) -> usize {
        blake2b_simd::many::degree().min(BLAKE2B_WIDTH)
    }
}
