//! What connections with the server negotiate, and what they hold, seen from a client at the other end of a pipe.

use std::sync::Arc;

use rustls::{
    ClientConfig, HandshakeKind, NamedGroup,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs, aws_lc_rs::kx_group},
    pki_types::ServerName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsConnector, client, server};

use super::*;

/// Takes any certificate; what is tested here comes after that.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        panic!("the server speaks TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A client that offers these groups, in this order, and would resume a session if it could.
fn client_config(groups: Vec<&'static dyn SupportedKxGroup>) -> Arc<ClientConfig> {
    let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

type Ends = (server::TlsStream<DuplexStream>, client::TlsStream<DuplexStream>);

/// Both ends of a connection over a pipe through which `pipe_bytes` fit unread.
async fn connect(tls: &Tls, config: Arc<ClientConfig>, pipe_bytes: usize) -> Ends {
    let (near, far) = duplex(pipe_bytes);
    let name = ServerName::try_from("triptych").unwrap();
    let (server, client) = tokio::join!(tls.accept(near), TlsConnector::from(config).connect(name, far));
    (server.unwrap(), client.unwrap())
}

fn tls() -> Tls {
    Tls::load_or_create(tempfile::tempdir().unwrap().path()).unwrap()
}

#[tokio::test]
async fn the_hybrid_group_comes_first_and_a_client_without_it_is_let_in() {
    let tls = tls();
    let both = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    let cases = [
        (both, NamedGroup::X25519MLKEM768),
        // As this release does by default.
        (aws_lc_rs::default_provider().kx_groups, NamedGroup::X25519MLKEM768),
        (vec![kx_group::X25519], NamedGroup::X25519),
    ];
    for (offered, expected) in cases {
        let (server, _client) = connect(&tls, client_config(offered.clone()), 4096).await;
        let group = server.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        assert_eq!(group, Some(expected), "of {offered:?}");
    }
}

#[tokio::test]
async fn no_ticket_is_sent_and_no_session_is_resumed() {
    let tls = tls();
    let config = client_config(vec![kx_group::X25519MLKEM768]);
    for visit in 0..2 {
        let (mut server, mut client) = connect(&tls, config.clone(), 4096).await;
        // A ticket would come before these.
        server.write_all(b"hello").await.unwrap();
        server.flush().await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        let (_, session) = client.get_ref();
        assert_eq!(session.tls13_tickets_received(), 0, "visit {visit}");
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full), "visit {visit}");
    }
}

#[tokio::test]
async fn what_a_client_does_not_read_is_encrypted_up_to_a_limit_only() {
    const PIPE_BYTES: usize = 4096;
    let (mut server, _client) = connect(&tls(), client_config(vec![kx_group::X25519]), PIPE_BYTES).await;
    let piece = [0; 64 * 1024];
    let mut taken_bytes = 0;
    std::future::poll_fn(|context| {
        loop {
            match std::pin::Pin::new(&mut server).poll_write(context, &piece) {
                std::task::Poll::Ready(written) => taken_bytes += written.unwrap(),
                std::task::Poll::Pending => return std::task::Poll::Ready(()),
            }
        }
    })
    .await;
    assert!(taken_bytes >= BUFFERED_BYTES, "there is room for two records: {taken_bytes}");
    assert!(taken_bytes <= BUFFERED_BYTES + PIPE_BYTES, "{taken_bytes}");
}
