//! Messages over the socket between the server and a worker process.
//!
//! ```text
//! u32 length of the head │ u32 length of the payload │ head (a value of `common::codec`) │ payload (a picture, sound, times)
//! ```
//!
//! A message is written by one system call, and its payload read into the buffer that is kept.

use std::{
    io::{self, IoSlice, Read, Write},
    os::unix::net::UnixStream,
};

use common::codec::{decode_value, encode_value};
use serde::{Serialize, de::DeserializeOwned};

/// The longest head. Payloads have a limit for each job.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

const LENGTH_BYTES: usize = 4;

/// Why no message was received.
#[derive(Debug)]
pub(super) enum ReceiveError {
    /// The other side closed the socket: its process has ended.
    Closed,
    /// What arrived is no message; the text says why.
    Unsound(&'static str),
    /// The caller does not wait any longer.
    GivenUp {
        /// Whether nothing of the message had arrived, so that the socket can be used further.
        is_between: bool,
    },
    /// The operating system reports an error.
    Io,
}

/// Sends a message with one system call, unless the socket's buffer is full.
///
/// # Errors
/// When the other side closed the socket, or read nothing for as long as the socket waits.
pub(super) fn send(mut stream: &UnixStream, head: &impl Serialize, payload: &[u8]) -> io::Result<()> {
    let head = encode_value(head);
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut start = Vec::with_capacity(2 * LENGTH_BYTES + head.len());
    start.extend(u32::try_from(head.len()).map_err(too_long)?.to_be_bytes());
    start.extend(u32::try_from(payload.len()).map_err(too_long)?.to_be_bytes());
    start.extend(&head);
    let mut slices = [IoSlice::new(&start), IoSlice::new(payload)];
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match stream.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives a message with a payload of at most `max_payload_bytes`. Whenever the socket's time limit has passed, and
/// while a message arrives in pieces, `is_waiting` is asked whether to go on.
///
/// # Errors
/// [`ReceiveError`]; the rest of the socket is then useless.
pub(super) fn receive<H: Serialize + DeserializeOwned>(
    stream: &UnixStream,
    max_payload_bytes: usize,
    is_waiting: &mut dyn FnMut() -> bool,
) -> Result<(H, Vec<u8>), ReceiveError> {
    let mut lengths = [[0; LENGTH_BYTES]; 2];
    fill(stream, lengths.as_flattened_mut(), is_waiting)?;
    let within = |error| match error {
        ReceiveError::GivenUp { .. } => ReceiveError::GivenUp { is_between: false },
        error => error,
    };
    let [head_bytes, payload_bytes] = lengths.map(|length| u32::from_be_bytes(length) as usize);
    if head_bytes > MAX_HEAD_BYTES || payload_bytes > max_payload_bytes {
        return Err(ReceiveError::Unsound("a message is longer than its limit"));
    }
    let mut head = vec![0; head_bytes];
    fill(stream, &mut head, is_waiting).map_err(within)?;
    let head = decode_value::<H, { 2 * MAX_HEAD_BYTES }>(&head);
    let head = head.map_err(|_| ReceiveError::Unsound("a message cannot be understood"))?;
    let mut payload = vec![0; payload_bytes];
    fill(stream, &mut payload, is_waiting).map_err(within)?;
    Ok((head, payload))
}

/// Fills a buffer from the socket.
fn fill(mut stream: &UnixStream, buffer: &mut [u8], is_waiting: &mut dyn FnMut() -> bool) -> Result<(), ReceiveError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(ReceiveError::Closed),
            Ok(read) => filled += read,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {}
                // What a process did not read before it was killed counts as an error of the reader's.
                io::ErrorKind::ConnectionReset => return Err(ReceiveError::Closed),
                _ => return Err(ReceiveError::Io),
            },
        }
        if filled < buffer.len() && !is_waiting() {
            return Err(ReceiveError::GivenUp { is_between: filled == 0 });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    fn received(ours: &UnixStream) -> Result<(Vec<u32>, Vec<u8>), ReceiveError> {
        receive(ours, 1000, &mut || true)
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let (ours, theirs) = pair();
        for payload in [&[][..], &[7; 1000]] {
            send(&theirs, &vec![1u32, 2], payload).unwrap();
            assert_eq!(received(&ours).unwrap(), (vec![1, 2], payload.to_vec()));
        }
    }

    #[test]
    fn a_message_larger_than_the_buffers_arrives() {
        let (ours, theirs) = pair();
        let payload = vec![5; 3_000_000];
        std::thread::scope(|scope| {
            scope.spawn(|| send(&theirs, &7u8, &payload).unwrap());
            let (head, arrived) = receive::<u8>(&ours, payload.len(), &mut || true).unwrap();
            assert_eq!((head, arrived == payload), (7, true));
        });
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_reserved() {
        for lengths in [[u32::MAX, 0], [1, u32::MAX], [1, 1001], [MAX_HEAD_BYTES as u32 + 1, 0]] {
            let (ours, theirs) = pair();
            (&theirs).write_all(lengths.map(u32::to_be_bytes).as_flattened()).unwrap();
            assert!(matches!(received(&ours), Err(ReceiveError::Unsound(_))), "{lengths:?}");
        }
    }

    #[test]
    fn noise_a_cut_and_silence_are_told_apart() {
        let (ours, theirs) = pair();
        (&theirs).write_all(&[0, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff]).unwrap();
        assert!(matches!(received(&ours), Err(ReceiveError::Unsound(_))));
        (&theirs).write_all(&[0, 0]).unwrap();
        ours.set_read_timeout(Some(std::time::Duration::from_millis(1))).unwrap();
        let given_up = || receive::<u8>(&ours, 0, &mut || false);
        assert!(matches!(given_up(), Err(ReceiveError::GivenUp { is_between: false })));
        assert!(matches!(given_up(), Err(ReceiveError::GivenUp { is_between: true })));
        drop(theirs);
        assert!(matches!(received(&ours), Err(ReceiveError::Closed)));
    }
}
