//! The only task that writes to a client's socket: takes frames from the outbox, writes and flushes them.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::outbox::{Frame, Outbox};

/// Time limit for writing one frame; a client that takes longer has stopped reading.
const WRITE_DEADLINE: Duration = Duration::from_secs(8);

/// Writes until the outbox is closed and empty, then shuts the write half of the socket down.
pub(super) async fn write_all(outbox: &Outbox, mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(frame) = outbox.next().await {
        timeout(WRITE_DEADLINE, write_frame(&mut stream, &frame)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    timeout(WRITE_DEADLINE, stream.shutdown()).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    for piece in frame {
        stream.write_all(piece).await?;
    }
    stream.flush().await
}
