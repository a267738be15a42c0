//! A certificate authority and a leaf of its own, made anew for each server: clients trust the authority, never the leaf itself.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What a server needs for TLS, and what its clients need to trust it.
pub struct Identity {
    /// The configuration that the server accepts connections with.
    pub server: Arc<ServerConfig>,
    /// The certificate of the authority, PEM.
    pub authority_pem: String,
    authority: CertificateDer<'static>,
}

impl Identity {
    /// Makes an authority and a leaf for `localhost`, `127.0.0.1` and `names`.
    pub fn new(names: &[&str]) -> Self {
        let authority_key = KeyPair::generate().expect("a key pair");
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "topo test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_certificate = authority.self_signed(&authority_key).expect("a certificate of the authority");
        let issuer = Issuer::new(authority, authority_key);

        let leaf_key = KeyPair::generate().expect("a key pair");
        let mut all_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        all_names.extend(names.iter().map(|name| (*name).to_owned()));
        let mut leaf = CertificateParams::new(all_names).expect("names of a leaf");
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf_certificate = leaf.signed_by(&leaf_key, &issuer).expect("a certificate of the leaf");

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf_certificate.der().clone()], key)
            .expect("a usable leaf");
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            server: Arc::new(server),
            authority_pem: authority_certificate.pem(),
            authority: authority_certificate.der().clone(),
        }
    }

    /// The configuration of a client that trusts this authority and no other.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).expect("a usable authority");
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("protocol versions")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}
