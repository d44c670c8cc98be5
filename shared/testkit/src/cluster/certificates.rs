//! Certificates of an authority that the fixture makes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::secret::{self, Kind};

/// The PEM files of processes on this machine, all of one authority.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority.
    pub ca: PathBuf,
    /// Everybody's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificates {
    /// Writes new ones into a folder.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn issue(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, ca).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let params = CertificateParams::new(names).expect("names");
        let cert = params.signed_by(&key, &issuer).expect("a certificate");
        let pem = key.serialize_pem();
        for line in pem.lines().filter(|line| !line.starts_with('-')) {
            secret::learn(Kind::PrivateKey, line);
        }
        let files = Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        secret::write(&files.key, &pem);
        for (file, pem) in [(&files.ca, issuer.pem()), (&files.cert, cert.pem())] {
            fs::write(file, pem).expect("a file");
        }
        files
    }

    /// As a process of ours is told, one variable each.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        [
            ("GUILDHALL_TLS_CA", &self.ca),
            ("GUILDHALL_TLS_CERT", &self.cert),
            ("GUILDHALL_TLS_KEY", &self.key),
        ]
        .map(|(name, file)| (name, file.display().to_string()))
        .to_vec()
    }
}
