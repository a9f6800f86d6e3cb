//! Sessions over in-memory pipes: deadlines, limits and faults that a socket would make slow or inexact.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use common::{
    crypto::test_keys,
    message::{ClientMessage, LeaveReason, ServerMessage},
    name::Name,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::support::{
    client::TestClient,
    pipe::{PIPE_BYTES, Sessions},
};

/// Waits for the news that a client left.
async fn left(client: &mut TestClient) -> (Name, LeaveReason) {
    client
        .next_that(|message| match message {
            ServerMessage::Left { name, reason, .. } => Some((name, reason)),
            _ => None,
        })
        .await
}

/// A stream whose reader panics at the first byte that comes once `is_armed`.
struct Panicking {
    stream: DuplexStream,
    is_armed: Arc<AtomicBool>,
}

impl AsyncRead for Panicking {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        assert!(polled.is_pending() || !self.is_armed.load(SeqCst), "the panic that this test wants");
        polled
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_session_that_panics_leaves_nothing_behind() {
    let sessions = Sessions::start();
    let mut ada = sessions.connect();
    ada.join_as("ada", &test_keys::ada()).await;
    let is_armed = Arc::new(AtomicBool::new(false));
    let wrap = |stream| Panicking { stream, is_armed: is_armed.clone() };
    let (mut bob, session) = sessions.connect_through(PIPE_BYTES, wrap);
    bob.join_as("bob", &test_keys::bob()).await;

    is_armed.store(true, SeqCst);
    bob.send(&ClientMessage::AskDirectory).await;
    assert_eq!(left(&mut ada).await, (Name::parse("bob").unwrap(), LeaveReason::Lost));
    assert!(session.await.unwrap_err().is_panic());
    assert_eq!(bob.try_next().await, None, "the connection is closed");

    // Name and key are free again.
    let welcome = sessions.connect().join_as("bob", &test_keys::bob()).await;
    assert_eq!(welcome.people.len(), 2);
}
