//! E-mails over SMTP.
//!
//! A connection carries one e-mail: e-mails are few, and a connection that was given up half-way
//! must not answer for the next one.

use std::{borrow::Cow, fmt, time::Duration};

use guildhall_runtime::{Error, Result};
use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::failure::{Failure, Kind};

/// How long a server that has the e-mail may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

const SMTP_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

/// An SMTP server, and how it is spoken to. Shows neither user nor password.
pub(crate) struct Smtp {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
}

/// How a connection is kept private.
enum Security {
    /// It is not.
    Plain,
    /// It begins in plain text, and goes on in TLS or not at all.
    StartTls(TlsParameters),
    /// It is TLS from the start.
    Tls(TlsParameters),
}

impl Smtp {
    /// Reads `smtp://user:password@host:587?tls=required`, `smtps://…` or `smtp://host:25`.
    ///
    /// # Errors
    /// With what is wrong, never with the URL: it may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|_| wrong("cannot be read"))?;
        // As a URL writes an IPv6 address.
        let host = parsed.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong("must name a host"));
        }
        if !matches!(parsed.path(), "" | "/") || parsed.fragment().is_some() {
            return Err(wrong("must end after the host, the port and ?tls=required"));
        }
        let (port, security) = security(&parsed, &host)?;
        let credentials = credentials(&parsed)?;
        if credentials.is_some() && matches!(security, Security::Plain) {
            return Err(wrong(
                "must not send a password in plain text, add ?tls=required",
            ));
        }
        Ok(Self {
            port: parsed.port().unwrap_or(port),
            host,
            security,
            credentials,
            hello: ClientId::default(),
        })
    }

    /// Sends an e-mail within `patience`.
    pub async fn send(&self, message: &Message, patience: Duration) -> Result<(), Failure> {
        let talk = self.talk(message, patience);
        let talk = tokio::time::timeout(patience, talk).await;
        let mut connection = talk.map_err(|elapsed| Failure::new(Kind::TimedOut, &elapsed))??;
        // The server has the e-mail, however it says goodbye.
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    async fn talk(
        &self,
        message: &Message,
        patience: Duration,
    ) -> Result<AsyncSmtpConnection, Failure> {
        let mut connection = self
            .connect(patience)
            .await
            .map_err(|error| not_served(&error))?;
        connection
            .send(message.envelope(), &message.formatted())
            .await
            .map_err(|error| not_taken(&error))?;
        Ok(connection)
    }

    /// A connection on which e-mails may be sent.
    async fn connect(
        &self,
        patience: Duration,
    ) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let wrapper = match &self.security {
            Security::Tls(parameters) => Some(parameters.clone()),
            Security::Plain | Security::StartTls(_) => None,
        };
        let address = (&*self.host, self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(patience),
            &self.hello,
            wrapper,
            None,
        )
        .await?;
        if let Security::StartTls(parameters) = &self.security {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// A failure before the e-mail was offered says nothing about the e-mail, whatever its code: a
/// wrong password must not cost any.
fn not_served(error: &lettre::transport::smtp::Error) -> Failure {
    let kind = if error.status().is_some() || error.is_client() || error.is_tls() {
        Kind::NotServed
    } else {
        connection_kind(error)
    };
    Failure::new(kind, error)
}

fn not_taken(error: &lettre::transport::smtp::Error) -> Failure {
    let kind = if error.is_permanent() {
        Kind::Refused
    } else if error.is_transient() || error.is_client() {
        Kind::Deferred
    } else {
        connection_kind(error)
    };
    Failure::new(kind, error)
}

fn connection_kind(error: &lettre::transport::smtp::Error) -> Kind {
    if error.is_timeout() {
        Kind::TimedOut
    } else {
        Kind::Unreachable
    }
}

/// How the URL wants connections kept private, and the port for it.
fn security(url: &Url, host: &str) -> Result<(u16, Security)> {
    let tls = || {
        TlsParameters::new(host.to_owned())
            .map_err(|error| Error::bug(format!("cannot speak TLS with the SMTP server: {error}")))
    };
    let parameters: Vec<_> = url.query_pairs().collect();
    let is_required = match &parameters[..] {
        [] => false,
        [(key, value)] if key == "tls" && value == "required" => true,
        _ => return Err(wrong("may have the parameter tls=required alone")),
    };
    match url.scheme() {
        "smtps" => Ok((SUBMISSIONS_PORT, Security::Tls(tls()?))),
        "smtp" if is_required => Ok((SUBMISSION_PORT, Security::StartTls(tls()?))),
        "smtp" => Ok((SMTP_PORT, Security::Plain)),
        _ => Err(wrong("must begin with smtp:// or smtps://")),
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>> {
    let decoded = |text| percent_decode_str(text).decode_utf8().map(Cow::into_owned);
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(wrong("must have both a user and a password, or neither")),
        (user, Some(password)) => match (decoded(user), decoded(password)) {
            (Ok(user), Ok(password)) => Ok(Some(Credentials::new(user, password))),
            (Err(_), _) | (_, Err(_)) => Err(wrong("has a user or password that is not UTF-8")),
        },
    }
}

fn wrong(what: &str) -> Error {
    Error::bug(format!(
        "the SMTP URL {what}: it has the form smtp://user:password@host:587?tls=required, \
         smtps://user:password@host or smtp://host:25"
    ))
}

impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_where_and_how() {
        for (url, shown) in [
            ("smtp://mail.example.com", "mail.example.com:25"),
            ("smtp://[::1]:2525/", "::1:2525"),
            (
                "smtp://mail.example.com?tls=required",
                "mail.example.com:587",
            ),
            ("smtps://mail.example.com", "mail.example.com:465"),
        ] {
            assert_eq!(Smtp::parse(url).unwrap().to_string(), shown, "{url}");
        }
        let server = Smtp::parse("smtps://ada%40example.com:p%C3%A4ss%23@mail:1465").unwrap();
        let expected = Credentials::new("ada@example.com".into(), "päss#".into());
        assert!(server.credentials == Some(expected));
        assert_eq!(server.port, 1465);
    }

    #[test]
    fn neither_what_is_shown_nor_what_is_refused_tells_the_password() {
        let server = Smtp::parse("smtps://secretuser:hunter2@mail").unwrap();
        let shown = format!("{server} {server:?}");
        assert!(shown.contains("mail:465"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("secretuser"));
        for refused in [
            "",
            "hunter2",
            "smtp://",
            "http://u:hunter2@mail",
            "smtp://u:hunter2@mail",
            "smtp://hunter2@mail?tls=required",
            "smtp://:hunter2@mail?tls=required",
            "smtp://u:hunter2@mail:port?tls=required",
            "smtp://u:hunter2@mail?tls=perhaps",
            "smtp://u:hunter2@mail?tls=required&tls=required",
            "smtps://u:hunter2@mail/path",
            "smtps://u:hunter2%ff@mail",
            "smtps://u:x#hunter2@mail",
            "smtps://u:1?hunter2@mail",
        ] {
            let error = Smtp::parse(refused).unwrap_err().with_causes();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
