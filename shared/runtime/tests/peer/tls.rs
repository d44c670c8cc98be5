//! TLS between processes, by certificates of an authority that the test makes.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use guildhall_runtime::{peer::Address, serve::Serving, tls::TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::fixture::{Behaviour, Server, assert_unreachable, call, peer_with};

/// An authority, and the folder of what it has issued.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files of somebody on this machine.
    fn issue(&self, name: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let files = [format!("{name}.pem"), format!("{name}.key")];
        let [cert_file, key_file] = files.map(|name| self.file(&name));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, PermissionsExt::from_mode(0o600)).unwrap();
        TlsFiles {
            cert: Some(cert_file),
            key: Some(key_file),
            ca: None,
        }
    }

    /// The files of somebody who trusts this authority alone.
    fn trusted_by(&self, files: TlsFiles) -> TlsFiles {
        let ca = Some(self.file("ca.pem"));
        TlsFiles { ca, ..files }
    }
}

async fn serve(files: &TlsFiles) -> (Server, Address) {
    let serving = Serving {
        tls: files.server().unwrap(),
        ..Serving::default()
    };
    let server = Server::start_with(Behaviour::Answer, serving).await;
    let address = format!("https://localhost:{}", server.socket.port());
    (server, address.parse().unwrap())
}

#[tokio::test]
async fn a_server_of_the_authority_is_called_over_tls() {
    let authority = Authority::new();
    let (_server, address) = serve(&authority.issue("server")).await;
    let peer = peer_with([address], authority.trusted_by(TlsFiles::default()));
    call(&peer).await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_call() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, address) = serve(&authority.issue("server")).await;
    let peer = peer_with([address], other.trusted_by(TlsFiles::default()));
    assert_unreachable(&call(&peer).await.unwrap_err());
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn with_an_authority_callers_must_present_a_certificate_of_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, address) = serve(&authority.trusted_by(authority.issue("server"))).await;

    let known = authority.trusted_by(authority.issue("caller"));
    call(&peer_with([address.clone()], known)).await.unwrap();
    assert_eq!(server.asked(), 1);

    let nameless = authority.trusted_by(TlsFiles::default());
    let stranger = authority.trusted_by(other.issue("stranger"));
    for files in [nameless, stranger] {
        let error = call(&peer_with([address.clone()], files)).await;
        assert_unreachable(&error.unwrap_err());
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn plain_text_is_not_served_where_tls_is() {
    let authority = Authority::new();
    let (server, _address) = serve(&authority.issue("server")).await;
    let peer = peer_with([server.address()], TlsFiles::default());
    assert_unreachable(&call(&peer).await.unwrap_err());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let files = authority.issue("server");
    let half = TlsFiles {
        key: None,
        ..files.clone()
    };
    let error = half.server().unwrap_err().with_causes();
    assert!(error.contains("belong together"), "{error}");

    let missing = TlsFiles {
        key: Some(authority.file("nowhere.key")),
        ..files.clone()
    };
    let error = missing.server().unwrap_err().with_causes();
    assert!(error.contains("nowhere.key"), "{error}");

    // A key where a certificate belongs.
    let swapped = TlsFiles {
        ca: files.key.clone(),
        ..TlsFiles::default()
    };
    let error = swapped.client().unwrap_err().with_causes();
    assert!(
        error.contains("server.key") && !error.contains("PRIVATE"),
        "{error}"
    );

    // A key of another certificate.
    let mixed = TlsFiles {
        key: authority.issue("other").key,
        ..files
    };
    let error = mixed.server().unwrap_err().with_causes();
    assert!(error.contains("server.pem"), "{error}");
    assert!(TlsFiles::default().server().unwrap().is_none());
}
