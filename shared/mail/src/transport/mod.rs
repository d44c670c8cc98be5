//! Where e-mails go.

mod directory;
mod smtp;

use std::time::Duration;

use crate::{
    email::{Email, Sender},
    failure::{Failure, Kind},
};

pub(crate) use directory::Directory;
pub(crate) use smtp::Smtp;

/// Where e-mails go, and whom they come from.
#[derive(Debug)]
pub struct Transport {
    from: Sender,
    route: Route,
}

/// The way an e-mail leaves.
#[derive(Debug)]
pub(crate) enum Route {
    /// Over SMTP.
    Smtp(Smtp),
    /// As a file, where nobody said which server.
    Directory(Directory),
}

impl Transport {
    pub(crate) fn new(from: Sender, route: Route) -> Self {
        Self { from, route }
    }

    /// Says in the log where e-mails go.
    pub(crate) fn announce(&self) {
        match &self.route {
            Route::Smtp(server) => tracing::info!(%server, "e-mails are sent over SMTP"),
            Route::Directory(directory) => {
                tracing::info!(
                    directory = %directory.path().display(),
                    "no SMTP server is set: e-mails are written as files"
                );
            }
        }
    }

    /// Sends an e-mail; an attempt over the network ends within `patience`.
    pub(crate) async fn send(&self, email: &Email, patience: Duration) -> Result<(), Failure> {
        let message = email
            .message(&self.from)
            .map_err(|error| Failure::new(Kind::Malformed, &error))?;
        match &self.route {
            Route::Smtp(server) => server.send(&message, patience).await,
            Route::Directory(directory) => directory.write(email.id, message.formatted()).await,
        }
    }
}
