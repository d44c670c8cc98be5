//! TLS configurations from PEM files.
//!
//! Files are read at start: a renewed certificate needs a restart.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{Error, Result, private::require_private};

/// The ALPN name of HTTP/2.
pub(crate) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Makes aws-lc-rs the default cryptography provider of rustls. To be called once at start; a second
/// call changes nothing.
pub fn install() {
    // Fails only if a provider is set already, which is then this one.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// The PEM files that a process was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, then those that lead from it to the authority.
    pub cert: Option<PathBuf>,
    /// The private key of our certificate.
    pub key: Option<PathBuf>,
    /// The authority that must have signed the other side's certificate.
    pub ca: Option<PathBuf>,
}

impl TlsFiles {
    /// The configuration of a server; `None` without a certificate, which means plain text. With an
    /// authority, callers must present a certificate signed by it (mTLS).
    ///
    /// # Errors
    /// A file that is missing, cannot be read, or does not hold what it should, with its name; a key
    /// that others may read.
    pub fn server(&self) -> Result<Option<Arc<ServerConfig>>> {
        let Some(identity) = self.identity()? else {
            return Ok(None);
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?;
        let builder = match &self.ca {
            Some(path) => {
                let roots = Arc::new(authority(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| unusable(path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(identity.chain, identity.key)
            .map_err(|error| unusable(identity.path, &error))?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        Ok(Some(Arc::new(config)))
    }

    /// The configuration of a client: it trusts the authority, otherwise those that the system
    /// trusts, and presents our certificate if there is one.
    ///
    /// # Errors
    /// As [`Self::server`], and when the system trusts nobody.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let roots = match &self.ca {
            Some(path) => authority(path)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots);
        let mut config = match self.identity()? {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain, identity.key)
                .map_err(|error| unusable(identity.path, &error))?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(Arc::new(config))
    }

    fn identity(&self) -> Result<Option<Identity<'_>>> {
        let (cert, key) = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => return Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                return Err(Error::bug(
                    "a TLS certificate and its key belong together: give both or neither",
                ));
            }
        };
        require_private(key)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
        let chain = certificates(cert)?;
        Ok(Some(Identity {
            path: cert,
            chain,
            key,
        }))
    }
}

struct Identity<'a> {
    path: &'a Path,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates in a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(found)
}

fn authority(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // An authority of the system that rustls cannot read is just not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::bug(
            "this system trusts no certificate authority: name the one to trust",
        ));
    }
    Ok(roots)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::bug(format!("cannot use {} for TLS: {error}", path.display()))
}
