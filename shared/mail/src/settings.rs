//! The flags about e-mails, each also a variable.

use std::{fmt, path::Path};

use clap::Args;
use guildhall_runtime::Result;

use crate::{
    email::Sender,
    transport::{Directory, Route, Smtp, Transport},
};

/// How e-mails leave the platform.
#[derive(Clone, Args)]
pub struct MailSettings {
    /// The SMTP server that e-mails are sent over: smtp://user:password@host:587?tls=required
    /// (STARTTLS), smtps://user:password@host, or smtp://host:25 in plain text. Without it, e-mails
    /// are written as .eml files.
    #[arg(
        long,
        env = "GUILDHALL_SMTP_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub smtp_url: Option<String>,

    /// Whom e-mails come from.
    #[arg(
        long,
        env = "GUILDHALL_MAIL_FROM",
        default_value = "Guildhall <guildhall@localhost>",
        value_name = "MAILBOX"
    )]
    pub mail_from: Sender,
}

impl MailSettings {
    /// Where e-mails go: to the SMTP server, else as files into `directory`.
    ///
    /// # Errors
    /// With what is wrong about the URL. It is read here and not by clap, which would show it, and
    /// it may hold a password.
    pub fn transport(&self, directory: &Path) -> Result<Transport> {
        let route = match &self.smtp_url {
            Some(url) => Route::Smtp(Smtp::parse(url)?),
            None => Route::Directory(Directory::new(directory)),
        };
        Ok(Transport::new(self.mail_from.clone(), route))
    }
}

impl fmt::Debug for MailSettings {
    /// Without the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings")
            .field("mail_from", &self.mail_from)
            .finish_non_exhaustive()
    }
}
