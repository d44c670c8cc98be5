//! What the path and body of an operation are filled with.

/// The id of a record that is not there.
pub const UNKNOWN: &str = "0123456789abcdef01234567";

/// The records that an operation names.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// A channel by id.
    pub channel: String,
    /// A message in it by id.
    pub message: String,
    /// A member's username.
    pub sender: String,
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// A channel by its Sendbird url.
    pub url: String,
    /// A message in it by its Sendbird number.
    pub number: i64,
    /// A Mudbase project.
    pub project: String,
    /// A chat of it.
    pub chat: String,
    /// A message in it.
    pub chat_message: String,
    /// An incoming webhook by id.
    pub incoming: String,
    /// An outgoing webhook by id.
    pub outgoing: String,
    /// A delivery of it by id.
    pub delivery: String,
}

impl Parameters {
    /// `template` with its `{…}` replaced.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        template
            .replace("{channel}", &self.channel)
            .replace("{message}", &self.message)
            .replace("{sender}", &self.sender)
            .replace("{url}", &self.url)
            .replace("{number}", &self.number.to_string())
            .replace("{project}", &self.project)
            .replace("{chat}", &self.chat)
            .replace("{chat_message}", &self.chat_message)
            .replace("{incoming}", &self.incoming)
            .replace("{outgoing}", &self.outgoing)
            .replace("{delivery}", &self.delivery)
    }
}
