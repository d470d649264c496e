//! Certificates made for a test, and a vendor behind them.

use std::{io::Write as _, net::SocketAddr, sync::Arc};

use nproxy::adapters::images::Http;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::peer::Peer;

/// Who signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// When a certificate holds.
#[derive(Clone, Copy)]
pub enum Valid {
    Now,
    NoLonger,
    NotYet,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Clients that trust this authority beside the public ones.
    pub fn trusted(&self) -> Http {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(self.pem.as_bytes()).unwrap();
        Http::trusting(file.path()).unwrap()
    }

    pub fn signs(&self, name: &str, valid: Valid) -> Arc<ServerConfig> {
        let (params, key) = certificate(name, valid);
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        server(signed.der(), &key)
    }
}

/// Signed by nobody but itself.
pub fn self_signed(name: &str) -> Arc<ServerConfig> {
    let (params, key) = certificate(name, Valid::Now);
    server(params.self_signed(&key).unwrap().der(), &key)
}

/// Takes TLS off and passes everything on to `target`.
pub async fn front(config: Arc<ServerConfig>, target: SocketAddr) -> Peer {
    Peer::new(move |mut line| {
        let config = config.clone();
        async move {
            terminate(&mut line.socket, config, target).await;
        }
    })
    .await
}

pub async fn terminate(socket: &mut TcpStream, config: Arc<ServerConfig>, target: SocketAddr) {
    let Ok(mut near) = TlsAcceptor::from(config).accept(socket).await else { return };
    let mut far = TcpStream::connect(target).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

fn certificate(name: &str, valid: Valid) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    match valid {
        Valid::Now => {}
        Valid::NoLonger => params.not_after = date_time_ymd(2020, 1, 1),
        Valid::NotYet => params.not_before = date_time_ymd(4000, 1, 1),
    }
    (params, KeyPair::generate().unwrap())
}

fn server(certificate: &CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    Arc::new(config)
}
