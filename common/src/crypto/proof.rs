//! Proof of possession: to join, a client signs a transcript that binds its name and key to one connection.

use super::transcript::Transcript;
use crate::limits::PROTOCOL_VERSION;

/// The transcript that a client signs with its key when it joins (RSASSA-PSS, SHA-256, salt of 32 bytes; RFC 8017
/// §8.1).
///
/// On a plaintext connection `channel_binding` and `certificate_hash` are all zero; the two nonces still prevent
/// replay.
#[derive(Debug, Clone, Copy)]
pub struct JoinTranscript<'a> {
    /// The TLS exporter of the connection (RFC 8446 §7.5), label [`Self::EXPORTER_LABEL`], empty context.
    pub channel_binding: [u8; 32],
    /// The SHA-256 of the server's certificate in DER.
    pub certificate_hash: [u8; 32],
    /// The nonce from `Hello`.
    pub client_nonce: [u8; 32],
    /// The nonce from `Challenge`.
    pub server_nonce: [u8; 32],
    /// The name exactly as in `Join`.
    pub name: &'a str,
    /// The key exactly as in `Join`.
    pub public_key_der: &'a [u8],
}

impl JoinTranscript<'_> {
    /// The label of the TLS exporter.
    pub const EXPORTER_LABEL: &'static [u8] = b"EXPORTER-triptych-join";

    /// The bytes to sign or verify.
    pub fn to_bytes(&self) -> Vec<u8> {
        Transcript::new("triptych join v1")
            .with(&PROTOCOL_VERSION.to_be_bytes())
            .with(&self.channel_binding)
            .with(&self.certificate_hash)
            .with(&self.client_nonce)
            .with(&self.server_nonce)
            .with(self.name.as_bytes())
            .with(self.public_key_der)
            .into_bytes()
    }
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use super::*;
    use crate::crypto::test_keys;

    #[test]
    fn a_proof_holds_for_its_own_connection_name_and_key_only() {
        let identity = test_keys::ada();
        let der = identity.public_key().der().to_vec();
        let transcript = JoinTranscript {
            channel_binding: [1; 32],
            certificate_hash: [2; 32],
            client_nonce: [3; 32],
            server_nonce: [4; 32],
            name: "ada",
            public_key_der: &der,
        };
        let proof = identity.sign(&transcript.to_bytes());
        let holds = |t: JoinTranscript| identity.public_key().verify(&t.to_bytes(), &proof);
        assert!(holds(transcript));
        assert!(!holds(JoinTranscript { channel_binding: [0; 32], ..transcript }));
        assert!(!holds(JoinTranscript { certificate_hash: [0; 32], ..transcript }));
        assert!(!holds(JoinTranscript { client_nonce: [0; 32], ..transcript }));
        assert!(!holds(JoinTranscript { server_nonce: [0; 32], ..transcript }));
        assert!(!holds(JoinTranscript { name: "bob", ..transcript }));
        assert!(!holds(JoinTranscript { public_key_der: test_keys::bob().public_key().der(), ..transcript }));
        assert!(!test_keys::bob().public_key().verify(&transcript.to_bytes(), &proof));
    }
}
