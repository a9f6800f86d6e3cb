//! Notifications of the desktop, shown by a thread: the desktop may take its time to answer, and the window must not wait for
//! it. Where there is no desktop that shows them, nothing happens.

use std::{
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

#[cfg(all(unix, not(target_os = "macos")))]
use notify_rust::{ActionResponse, NotificationHandle};

use crate::state::{action::Peer, notification::Notification};

/// Requests that may wait; a later one makes those before it out of date.
const MAX_WAITING: usize = 8;

/// How long the end of the program waits until the notification is gone.
const END_PATIENCE: Duration = Duration::from_millis(300);

enum Request {
    Show(Notification),
    Close,
}

/// The thread that shows notifications. What it shows goes when this is dropped.
pub struct Desktop {
    requests: Option<SyncSender<Request>>,
    clicks: Receiver<Peer>,
    ended: Receiver<()>,
}

impl Desktop {
    /// Starts the thread. `wake` is called after each click on a notification.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(wake: impl Fn() + Clone + Send + 'static) -> io::Result<Self> {
        let (requests, queue) = sync_channel(MAX_WAITING);
        let (click, clicks) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let clicked = move |peer| {
            // One click is enough to bring the window to the front.
            if click.try_send(peer).is_ok() {
                wake();
            }
        };
        thread::Builder::new().name("notifications".into()).spawn(move || {
            serve(&queue, clicked);
            // The other end waits no longer if it has gone.
            if end.try_send(()).is_err() {
                tracing::debug!("the notifications ended late");
            }
        })?;
        Ok(Self { requests: Some(requests), clicks, ended })
    }

    /// Shows this notification instead of the one before.
    pub fn show(&self, notification: Notification) {
        self.request(Request::Show(notification));
    }

    /// Takes the notification away.
    pub fn close(&self) {
        self.request(Request::Close);
    }

    /// The conversation of a notification that was clicked since the last call.
    pub fn clicked(&self) -> Option<Peer> {
        self.clicks.try_recv().ok()
    }

    fn request(&self, request: Request) {
        let sent = self.requests.as_ref().map(|requests| requests.try_send(request));
        if let Some(Err(TrySendError::Full(_))) = sent {
            tracing::debug!("the desktop does not answer; a notification was left out");
        }
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        drop(self.requests.take());
        if self.ended.recv_timeout(END_PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::debug!("the desktop does not answer; a notification may stay");
        }
    }
}

/// Carries requests out until there are no more to come.
fn serve(queue: &Receiver<Request>, clicked: impl Fn(Peer) + Clone + Send + 'static) {
    let mut shown = Shown::default();
    let mut has_failed = false;
    while let Ok(mut request) = queue.recv() {
        // Only the latest counts.
        while let Ok(later) = queue.try_recv() {
            request = later;
        }
        let result = match request {
            Request::Close => {
                shown.close();
                Ok(())
            }
            Request::Show(notification) => shown.replace(&notification, &clicked),
        };
        if let Err(error) = result
            && !mem::replace(&mut has_failed, true)
        {
            tracing::debug!("the desktop shows no notifications: {error}");
        }
    }
    shown.close();
}

/// The notification that the desktop shows.
#[derive(Default)]
struct Shown {
    #[cfg(all(unix, not(target_os = "macos")))]
    handle: Option<NotificationHandle>,
    /// The conversation that a click opens.
    opens: Arc<Mutex<Peer>>,
    /// Waits for a click, until the notification has gone.
    listener: Option<JoinHandle<()>>,
}

impl Shown {
    #[cfg(all(unix, not(target_os = "macos")))]
    fn replace(
        &mut self,
        notification: &Notification,
        clicked: &(impl Fn(Peer) + Clone + Send + 'static),
    ) -> notify_rust::error::Result<()> {
        let mut next = composed(notification);
        let last_id = self.handle.as_ref().map(NotificationHandle::id);
        if let Some(id) = last_id {
            next.id(id);
        }
        let handle = next.show()?;
        let id = handle.id();
        *lock(&self.opens) = notification.opens;
        self.handle = Some(handle);
        let is_heard = last_id == Some(id) && self.listener.as_ref().is_some_and(|listener| !listener.is_finished());
        if !is_heard {
            let (opens, clicked) = (Arc::clone(&self.opens), clicked.clone());
            let listen = move || {
                let result = notify_rust::handle_action(id, |response| {
                    if matches!(response, ActionResponse::Custom("default")) {
                        clicked(*lock(&opens));
                    }
                });
                if let Err(error) = result {
                    tracing::debug!("a click on the notification is not heard: {error}");
                }
            };
            self.listener = thread::Builder::new().name("notification click".into()).spawn(listen).ok();
        }
        Ok(())
    }

    /// On other systems, notifications are shown one after the other, and a click on them opens nothing.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    fn replace(&mut self, notification: &Notification, _: &impl Fn(Peer)) -> notify_rust::error::Result<()> {
        composed(notification).show().map(drop)
    }

    fn close(&mut self) {
        #[cfg(all(unix, not(target_os = "macos")))]
        if let Some(handle) = self.handle.take() {
            handle.close();
        }
    }
}

fn composed(notification: &Notification) -> notify_rust::Notification {
    let mut composed = notify_rust::Notification::new();
    composed.appname("Triptych").summary(&notification.title).body(&escaped(&notification.text)).icon("triptych");
    #[cfg(all(unix, not(target_os = "macos")))]
    composed
        .hint(notify_rust::Hint::DesktopEntry("triptych".to_owned()))
        .hint(notify_rust::Hint::Category("im.received".to_owned()))
        .action("default", "Open");
    composed
}

fn lock(opens: &Mutex<Peer>) -> MutexGuard<'_, Peer> {
    // Poisoning is ignored: a peer is written in one step.
    opens.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text as the desktop takes it, which reads some markup in it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_no_markup() {
        assert_eq!(escaped("<b>1 & 2</b>"), "&lt;b&gt;1 &amp; 2&lt;/b&gt;");
    }
}
