//! The only task that writes to a client's socket: takes frames from the outbox, writes and flushes them.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::outbox::Outbox;

/// A client that takes not a byte for this long has stopped reading.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(8);

/// Pieces that together are no longer than this are copied into one, to be written by one call.
const JOINED_BYTES: usize = 64 * 1024;

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
        if pieces.len() > 1 && pieces.iter().map(Bytes::len).sum::<usize>() <= JOINED_BYTES {
            joined.clear();
            pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
            write_piece(&mut stream, &joined).await?;
        } else {
            for piece in pieces {
                write_piece(&mut stream, &piece).await?;
            }
        }
        in_time(stream.flush()).await?;
    }
    in_time(stream.shutdown()).await
}

async fn write_piece(stream: &mut (impl AsyncWrite + Unpin), mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        let written = in_time(stream.write(piece)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        piece = &piece[written..];
    }
    Ok(())
}

async fn in_time<T>(writing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(WRITE_DEADLINE, writing).await.map_err(|_| io::ErrorKind::TimedOut)?
}
