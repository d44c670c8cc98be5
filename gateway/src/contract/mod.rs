//! The public contract's list of endpoints, which the gateway is built from.
//!
//! `contract/endpoints.tsv` is part of the binary. A route's method, path, aliases, title, area, envelope,
//! credentials, permission and success status are those of its row; code can only narrow who may call it.

mod access;
mod cell;

use std::collections::HashMap;

use guildhall_runtime::{Error, Result};
use http::{Method, StatusCode};

use crate::envelope::Family;

pub use access::{Access, Condition, OwnCredential};

const TABLE: &str = include_str!("../../contract/endpoints.tsv");

const HEADER: &str = "id\tservice\tarea\ttitle\tseeds\tmethod\tpath\taliases\tauth\tpermission\tenvelope\t\
                      success_status\tconfidence\tdoc";

/// One endpoint as the contract lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: &'static str,
    /// The part of the contract that it belongs to; the document's tag.
    pub area: &'static str,
    pub title: &'static str,
    pub method: Method,
    /// The canonical path, with parameters in braces.
    pub path: &'static str,
    /// Paths that mean the same and differ in more than the prefix.
    pub aliases: Vec<&'static str>,
    /// Who may call it.
    pub access: Access,
    pub envelope: Envelope,
    /// The status of success.
    pub success: StatusCode,
}

/// The form of an endpoint's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// JSON, in one of the families.
    Json(Family),
    /// A page for a browser.
    Html,
}

/// All rows, by id.
#[derive(Debug)]
pub struct Contract(HashMap<&'static str, Row>);

impl Contract {
    /// Reads the list.
    ///
    /// # Errors
    /// A broken build: a row that cannot be read, by its id, or two rows with one id.
    pub fn load() -> Result<Self> {
        Self::read(TABLE).map_err(|why| Error::bug(format!("contract/endpoints.tsv: {why}")))
    }

    /// The row of an endpoint.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.0.get(id)
    }

    fn read(table: &'static str) -> Result<Self, String> {
        let mut lines = table.lines();
        if lines.next() != Some(HEADER) {
            return Err("the header has other columns".to_owned());
        }
        let mut rows = HashMap::new();
        for line in lines {
            let row = Row::read(line).map_err(|why| format!("{why} in {line:?}"))?;
            if let Some(other) = rows.insert(row.id, row) {
                return Err(format!("two rows have the id {}", other.id));
            }
        }
        Ok(Self(rows))
    }
}

impl Row {
    fn read(line: &'static str) -> Result<Self, String> {
        let cells: Vec<_> = line.split('\t').collect();
        let &[
            id,
            _service,
            area,
            title,
            _seeds,
            method,
            path,
            aliases,
            auth,
            permission,
            envelope,
            success,
            _confidence,
            _doc,
        ] = cells.as_slice()
        else {
            return Err(format!("{} cells instead of 14", cells.len()));
        };
        Ok(Self {
            id,
            area,
            title,
            method: cell::method(method)?,
            path: cell::path(path)?,
            aliases: cell::list(aliases, ',')
                .map(cell::path)
                .collect::<Result<_, _>>()?,
            access: Access::read(auth, permission)?,
            envelope: cell::envelope(envelope)?,
            success: cell::success(success)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use guildhall_auth::{AccessRule, CredentialKind, Permission, Role};

    use super::*;

    const SEND: &str = "messages-send\tmessaging\tMessaging\tSend Message\t001\tPOST\t/v1/messages/send\t\
                        /v1/messages\tcommunity-or-user-key|jwt\tsendMessage role:member\tE1\t200\tdocumented\tm.md";

    /// `SEND` with one cell changed, read.
    fn changed(from: &str, to: &str) -> Result<Row, String> {
        assert!(SEND.contains(from), "{from}");
        Row::read(SEND.replacen(from, to, 1).leak())
    }

    #[test]
    fn every_row_is_read() {
        let contract = Contract::load().unwrap();
        assert_eq!(contract.0.len(), TABLE.lines().count() - 1);
    }

    #[test]
    fn a_row_becomes_types() {
        let row = Row::read(SEND).unwrap();
        assert_eq!((row.method, row.path), (Method::POST, "/v1/messages/send"));
        assert_eq!(row.aliases, ["/v1/messages"]);
        assert_eq!(row.envelope, Envelope::Json(Family::Integration));
        let kinds = [
            CredentialKind::CommunityKey,
            CredentialKind::UserKey,
            CredentialKind::Jwt,
        ];
        let rule = AccessRule::credential(&kinds, Some(Permission::SendMessage), Role::Member);
        assert_eq!(row.access.rule(), Ok(rule));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        for (from, to) in [
            ("POST", "SEND"),
            ("/v1/messages/send", "v1/messages/send"),
            ("|jwt", "|passport"),
            ("sendMessage", "sendEverything"),
            ("role:member", "role:guest"),
            ("role:member", "flag:fly"),
            ("E1", "E9"),
            ("\t200\t", "\tok\t"),
            ("\t200\t", "\t404\t"),
            ("\tm.md", ""),
        ] {
            assert!(changed(from, to).is_err(), "{from} → {to}");
        }
    }

    #[test]
    fn an_id_is_listed_once() {
        let twice = format!("{HEADER}\n{SEND}\n{SEND}\n");
        assert!(Contract::read(twice.leak()).is_err());
        assert!(Contract::read("id\tpath\n").is_err());
    }
}
