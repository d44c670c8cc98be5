//! The rows of the contract: the list that the gateway is built from, read anew.

/// One endpoint as the contract lists it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The canonical path.
    pub path: &'static str,
    /// Paths that differ in more than the prefix.
    pub aliases: Vec<&'static str>,
    /// Credential kinds: `community-key`, `user-key`, …
    pub auth: Vec<&'static str>,
    /// The permission entry, word by word; empty for `-`.
    pub permission: Vec<&'static str>,
    /// The family of its answers.
    pub envelope: &'static str,
    /// The status of success.
    pub success: u16,
}

const TABLE: &str = include_str!("../../gateway/contract/endpoints.tsv");

/// Every row.
#[must_use]
pub fn all() -> Vec<Row> {
    let mut lines = TABLE.lines();
    let header: Vec<_> = lines.next().expect("a header").split('\t').collect();
    assert_eq!(
        header[..12],
        [
            "id",
            "service",
            "area",
            "title",
            "seeds",
            "method",
            "path",
            "aliases",
            "auth",
            "permission",
            "envelope",
            "success_status"
        ]
    );
    lines
        .map(|line| row(&line.split('\t').collect::<Vec<_>>()))
        .collect()
}

fn row(cells: &[&'static str]) -> Row {
    let words = |cell: &'static str, separator: char| {
        let words = cell.split(separator).map(str::trim);
        words
            .filter(|word| !["", "-"].contains(word))
            .collect::<Vec<_>>()
    };
    Row {
        id: cells[0],
        method: cells[5],
        path: cells[6],
        aliases: words(cells[7], ','),
        auth: words(cells[8], '|')
            .into_iter()
            .flat_map(kinds)
            .copied()
            .collect(),
        permission: words(cells[9], ' '),
        envelope: cells[10],
        success: cells[11].parse().expect("a status"),
    }
}

/// What the auth column abbreviates.
fn kinds(word: &'static str) -> &'static [&'static str] {
    match word {
        "community-or-user-key" => &["community-key", "user-key"],
        "system-key" => &["system-key"],
        "community-key" => &["community-key"],
        "user-key" => &["user-key"],
        "jwt" => &["jwt"],
        "mudbase-jwt" => &["mudbase-jwt"],
        "sendbird-token" => &["sendbird-token"],
        "webhook-key" => &["webhook-key"],
        "embed-token" => &["embed-token"],
        "none" => &[],
        other => panic!("the auth column has a new word: {other}"),
    }
}
