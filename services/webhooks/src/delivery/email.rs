//! The e-mails that deliveries send.

use guildhall_data::Transaction;
use guildhall_directory::Directory;
use guildhall_mail::{Mailer, NewMail, Recipient, Subject, Text};
use guildhall_runtime::Result;

use crate::store::outgoing::{DisabledReason, Model};

/// Writes e-mails, and has them sent.
#[derive(Debug, Clone)]
pub struct Emails {
    directory: Directory,
    mailer: Mailer,
}

impl Emails {
    /// E-mails to those whom the directory knows.
    #[must_use]
    pub fn new(directory: &Directory, mailer: &Mailer) -> Self {
        Self {
            directory: directory.clone(),
            mailer: mailer.clone(),
        }
    }

    /// The e-mail to the community's owner about a webhook that the platform switches off.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say who that is.
    pub async fn disabled(&self, webhook: &Model, reason: DisabledReason) -> Result<NewMail> {
        let owner = self.directory.owner(webhook.community_id).await?;
        let why = match reason {
            DisabledReason::Gone => "its receiver answered 410 (Gone)",
            DisabledReason::Failing => "no delivery to it has succeeded for five days",
        };
        let name = &webhook.name;
        let text = format!(
            "Hello {},\n\nthe outgoing webhook \"{name}\" ({}) was switched off: {why}. What waited \
             for it is given up.\n\nOnce its receiver works again, switch it on: PATCH \
             /v1/webhooks/outgoing/{} with {{\"isEnabled\": true}}.\n",
            owner.username, webhook.url, webhook.id
        );
        Ok(NewMail {
            community: webhook.community_id,
            to: Recipient::parse(&owner.email)?,
            subject: Subject::parse(format!("Webhook \"{name}\" was switched off"))?,
            text: Text::parse(text)?,
        })
    }

    /// Queues an e-mail in the transaction of its cause. After the commit: [`wake`](Self::wake).
    ///
    /// # Errors
    /// When the statement fails: roll back.
    pub async fn queue(&self, transaction: &Transaction, mail: NewMail) -> Result<()> {
        guildhall_mail::queue(transaction, mail).await
    }

    /// An e-mail was queued, and is committed.
    pub fn wake(&self) {
        self.mailer.wake();
    }
}
