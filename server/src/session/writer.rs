//! The only task that writes to a client's socket: takes frames from the outbox, writes and flushes them.

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::outbox::Outbox;

/// A client that takes not a byte for this long has stopped reading.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(8);

/// Pieces of less than this on average are copied into one before they are written: that takes less time than to hand over
/// each by itself. Parts of pictures are not copied.
const JOINED_PIECE_BYTES: usize = 4 * 1024;

/// Writes until the outbox is closed and empty, then shuts the write half of the socket down. Stops at once when the client
/// is cut off.
pub(super) async fn write_all(outbox: &Outbox, stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::select! {
        biased;
        () = outbox.cut_off() => Err(io::ErrorKind::TimedOut.into()),
        written = write_until_closed(outbox, stream) => written,
    }
}

async fn write_until_closed(outbox: &Outbox, mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut joined = BytesMut::new();
    while let Some(pieces) = outbox.next().await {
        let bytes: usize = pieces.iter().map(Bytes::len).sum();
        if pieces.len() > 1 && bytes < pieces.len() * JOINED_PIECE_BYTES {
            joined.clear();
            pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
            write_pieces(&mut stream, &mut [IoSlice::new(&joined)]).await?;
        } else {
            let mut pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            write_pieces(&mut stream, &mut pieces).await?;
        }
        in_time(stream.flush()).await?;
        outbox.sent(bytes);
    }
    in_time(stream.shutdown()).await
}

async fn write_pieces(stream: &mut (impl AsyncWrite + Unpin), mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Pieces may be empty, and nothing is written of those.
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        let written = in_time(stream.write_vectored(pieces)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut pieces, written);
    }
    Ok(())
}

async fn in_time<T>(writing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(WRITE_DEADLINE, writing).await.map_err(|_| io::ErrorKind::TimedOut)?
}
