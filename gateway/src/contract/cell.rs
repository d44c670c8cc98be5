//! What the single cells of a row may hold.

use http::{Method, StatusCode};

use super::Envelope;
use crate::envelope::Family;

/// The values of a cell; `-` stands for none.
pub fn list(cell: &'static str, separator: char) -> impl Iterator<Item = &'static str> {
    let values = cell.split(separator).map(str::trim);
    values.filter(|value| !matches!(*value, "" | "-"))
}

pub fn method(cell: &str) -> Result<Method, String> {
    match cell {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        _ => Err(format!("unknown method {cell:?}")),
    }
}

pub fn path(cell: &'static str) -> Result<&'static str, String> {
    match cell.strip_prefix('/') {
        Some(_) => Ok(cell),
        None => Err(format!("the path {cell:?} does not begin with a slash")),
    }
}

pub fn envelope(cell: &str) -> Result<Envelope, String> {
    if cell == "html" {
        return Ok(Envelope::Html);
    }
    let mut families = Family::ALL.iter().copied();
    let family = families.find(|family| family.contract_name() == cell);
    family
        .map(Envelope::Json)
        .ok_or_else(|| format!("unknown envelope {cell:?}"))
}

pub fn success(cell: &str) -> Result<StatusCode, String> {
    let status: Option<StatusCode> = cell.parse().ok();
    let success = status.filter(|status| status.is_success() || status.is_redirection());
    success.ok_or_else(|| format!("{cell:?} is no status of success"))
}
