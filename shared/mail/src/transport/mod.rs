//! Where letters go.

mod directory;
mod smtp;

use std::time::Duration;

use crate::{
    failure::{Failure, Kind},
    letter::{Letter, Sender},
};

pub(crate) use directory::Directory;
pub(crate) use smtp::Smtp;

/// Where letters go, and whom they come from.
#[derive(Debug)]
pub struct Transport {
    from: Sender,
    route: Route,
}

/// The way a letter leaves.
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

    /// Says in the log where letters go.
    pub(crate) fn announce(&self) {
        match &self.route {
            Route::Smtp(server) => tracing::info!(%server, "letters are sent over SMTP"),
            Route::Directory(directory) => {
                tracing::info!(
                    directory = %directory.path().display(),
                    "no SMTP server is set: letters are written as files"
                );
            }
        }
    }

    /// Sends a letter; an attempt over the network ends within `patience`.
    pub(crate) async fn send(&self, letter: &Letter, patience: Duration) -> Result<(), Failure> {
        let message = letter
            .message(&self.from)
            .map_err(|error| Failure::new(Kind::Malformed, &error))?;
        match &self.route {
            Route::Smtp(server) => server.send(&message, patience).await,
            Route::Directory(directory) => directory.write(letter.id, message.formatted()).await,
        }
    }
}
