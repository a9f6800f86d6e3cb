//! TLS of the server: its self-signed certificate, created at the first start and kept so that clients can pin it, and how
//! connections are secured with it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::crypto::sha256;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::NoServerSessionStorage,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{Accept, TlsAcceptor};
use tracing::warn;

use crate::private_files::{create_folder, write_whole};

const CERTIFICATE_FILE: &str = "certificate.pem";
const KEY_FILE: &str = "certificate-key.pem";

/// Bytes of records that may wait for the socket of one connection. What waits is encrypted already and no longer counted as
/// unsent, so this is memory that a client takes by not reading; two full records keep the socket busy. The default is 64 KiB.
const BUFFERED_BYTES: usize = 32 * 1024;

/// The TLS configuration and the certificate behind it.
pub struct Tls {
    /// TLS 1.3 only, no client certificates, no resumption.
    config: Arc<ServerConfig>,
    /// SHA-256 of the certificate in DER: what clients pin.
    pub certificate_hash: [u8; 32],
}

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder cannot be read or written.
    #[error("cannot keep the server's certificate in {path}: {error}; choose another folder with --data-dir")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// Other users can read the private key, and anyone who has it can impersonate this server.
    #[error("other users can read {}; run chmod 600 '{}', or move the folder away to get a new certificate", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// A file does not hold a certificate or key.
    #[error("{path} holds no usable certificate or key: {reason}; move it away, and the server creates a new one")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The reason, as a clause.
        reason: String,
    },
}

impl Tls {
    /// Reads the certificate in `folder`, or creates one there.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or written, is readable by other users, or holds something else.
    pub fn load_or_create(folder: &Path) -> Result<Self, TlsError> {
        let (certificate_path, key_path) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        // The certificate is written last, so without it no client has seen this server: a key alone is left over from a start
        // that was interrupted.
        if !fs::exists(&certificate_path).map_err(failed(&certificate_path))? {
            if key_path.exists() {
                warn!("The key {} has no certificate yet and is replaced.", key_path.display());
            }
            create(folder, &certificate_path, &key_path)?;
        }
        let mode = fs::metadata(&key_path).map_err(failed(&key_path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TlsError::Exposed(key_path));
        }
        let unusable = |reason: String| TlsError::Unusable { path: folder.to_owned(), reason };
        let certificate = CertificateDer::from_pem_file(&certificate_path).map_err(|e| unusable(e.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|e| unusable(e.to_string()))?;
        let certificate_hash = sha256(&certificate);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("aws-lc-rs supports TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(|e| unusable(e.to_string()))?;
        // No connection is resumed: clients connect rarely, each proof is bound to a full handshake, and the secrets behind
        // tickets would be one more thing to steal.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), certificate_hash })
    }

    /// Performs the handshake on a connection.
    pub fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        acceptor.accept_with(stream, |connection| connection.set_buffer_limit(Some(BUFFERED_BYTES)))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TlsError {
    let path = path.to_owned();
    move |error| TlsError::File { path: path.clone(), error }
}

fn create(folder: &Path, certificate_path: &Path, key_path: &Path) -> Result<(), TlsError> {
    let generated = rcgen::generate_simple_self_signed(vec!["triptych".to_owned()])
        .map_err(|e| TlsError::Unusable { path: folder.to_owned(), reason: e.to_string() })?;
    create_folder(folder).map_err(failed(folder))?;
    write_whole(key_path, generated.signing_key.serialize_pem().as_bytes()).map_err(failed(key_path))?;
    write_whole(certificate_path, generated.cert.pem().as_bytes()).map_err(failed(certificate_path))
}

#[cfg(test)]
mod connection_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_kept_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let created = Tls::load_or_create(folder.path()).unwrap();
        let again = Tls::load_or_create(folder.path()).unwrap();
        assert_eq!(again.certificate_hash, created.certificate_hash);

        let key = folder.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Tls::load_or_create(folder.path()), Err(TlsError::Exposed(path)) if path == key));
    }

    #[test]
    fn the_files_are_for_the_servers_user_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        Tls::load_or_create(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!((mode(&folder.join(KEY_FILE)), mode(&folder.join(CERTIFICATE_FILE))), (0o600, 0o600));
    }

    #[test]
    fn a_start_that_was_interrupted_between_key_and_certificate_heals() {
        let folder = tempfile::tempdir().unwrap();
        Tls::load_or_create(folder.path()).unwrap();
        fs::remove_file(folder.path().join(CERTIFICATE_FILE)).unwrap();
        let healed = Tls::load_or_create(folder.path()).unwrap();
        assert_eq!(Tls::load_or_create(folder.path()).unwrap().certificate_hash, healed.certificate_hash);

        // A certificate alone is one that clients may know: it is not replaced by a new one.
        fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
        assert!(matches!(Tls::load_or_create(folder.path()), Err(TlsError::File { .. })));
    }

    #[test]
    fn a_spoilt_certificate_is_named_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        Tls::load_or_create(folder.path()).unwrap();
        fs::write(folder.path().join(CERTIFICATE_FILE), "spoilt").unwrap();
        assert!(matches!(Tls::load_or_create(folder.path()), Err(TlsError::Unusable { .. })));
    }
}
