//! Pages of a long channel.

use std::time::Duration;

use guildhall_testkit::Cluster;

use super::{
    Case,
    paired_run::{PairedRun, at_once},
};
use crate::{
    Result,
    comparison::Sample,
    environment::{
        Environment,
        lists::{Lists, PAGE},
    },
    floor::pgbench::Script,
    load::{self, Load, Pace, http1::Http1},
    report::Outcome,
    settings::Settings,
};

/// Connections, and pgbench's clients.
const CONNECTIONS: usize = 16;

/// What messaging runs for a page, as PostgreSQL shows it while it runs.
const RUNNING: &str = "
SELECT query FROM pg_stat_activity
WHERE datname = 'guildhall_messaging' AND query LIKE 'SELECT%FROM \"messages\"%LIMIT%'
LIMIT 1";
/// How often it is looked for.
const LOOKS: usize = 400;

/// The newest page of the long channel, against its main query by pgbench.
pub async fn newest(
    case: Case,
    settings: &Settings,
    environment: &mut Environment,
) -> Result<Outcome> {
    let lists = environment.lists(settings.messages).await?;
    let paired_run = paired_run(case, settings, environment, &Lists::newest(&lists.long)).await?;
    let query = learn(&environment.cluster, &paired_run.target).await?;
    let script = script(environment, &query, &lists.long)?;
    let floor = async || {
        let found = environment
            .pgbench
            .run(&script, CONNECTIONS, paired_run.time())
            .await?;
        Ok(Sample::of(found.rate))
    };
    let (mut outcome, _) = paired_run.run(at_once, floor).await?;
    outcome.notes.push(format!("floor: {query}"));
    Ok(outcome)
}

/// The newest page of the long channel, against that of the short one.
pub async fn flat(
    case: Case,
    settings: &Settings,
    environment: &mut Environment,
) -> Result<Outcome> {
    let lists = environment.lists(settings.messages).await?;
    let pages = (Lists::newest(&lists.long), Lists::newest(&lists.short));
    two_pages(case, settings, environment, pages).await
}

/// The oldest page of the long channel, against its newest.
pub async fn deep(
    case: Case,
    settings: &Settings,
    environment: &mut Environment,
) -> Result<Outcome> {
    let lists = environment.lists(settings.messages).await?;
    let pages = (lists.oldest(), Lists::newest(&lists.long));
    two_pages(case, settings, environment, pages).await
}

async fn two_pages(
    case: Case,
    settings: &Settings,
    environment: &Environment,
    (ours, other): (String, String),
) -> Result<Outcome> {
    let paired_run = paired_run(case, settings, environment, &ours).await?;
    let other = page(environment, &other).await?;
    let floor = async || {
        let tally = load::run(&other, paired_run.at(Pace::AsAnswered)).await?;
        Ok(paired_run.sample(&tally))
    };
    Ok(paired_run.run(at_once, floor).await?.0)
}

async fn paired_run<'a>(
    case: Case,
    settings: &'a Settings,
    environment: &Environment,
    path: &str,
) -> Result<PairedRun<'a, Http1>> {
    Ok(PairedRun {
        case,
        settings,
        processes: environment.processes(),
        target: page(environment, path).await?,
        connections: CONNECTIONS,
    })
}

/// Requests of a page, once it is clear that the page is full.
async fn page(environment: &Environment, path: &str) -> Result<Http1> {
    let call = environment
        .community
        .rest
        .get(path)
        .bearer(&environment.community.demo.api_key);
    let page = call.send().await.expect(200);
    if page["data"]["total"] != PAGE {
        return Err(format!("{path}: {} messages and not {PAGE}", page["data"]["total"]).into());
    }
    environment.community.gets(path)
}

/// Looks at what messaging asks its database while pages are listed.
async fn learn(cluster: &Cluster, pages: &Http1) -> Result<String> {
    let pool = cluster.postgres.pool("postgres");
    let load = Load {
        connections: CONNECTIONS,
        pace: Pace::AsAnswered,
        time: Duration::from_secs(1),
    };
    let look = async {
        for _ in 0..LOOKS {
            let seen = sqlx::query_scalar(RUNNING).fetch_optional(&pool).await?;
            if let Some(query) = seen {
                return Ok(query);
            }
        }
        Err("the query of a page was never seen".into())
    };
    let (query, listed) = tokio::join!(look, load::run(pages, load));
    listed?;
    query
}

fn script(environment: &Environment, query: &str, channel: &str) -> Result<Script> {
    let variables = [
        ("community", environment.community.demo.community_id.clone()),
        ("channel", channel.to_owned()),
        ("first", "0".to_owned()),
        ("beyond", i64::MAX.to_string()),
        ("rows", (PAGE + 1).to_string()),
    ];
    let text = with_names(query)?;
    environment
        .pgbench
        .script("list", &text, "guildhall_messaging", variables)
}

/// The query with pgbench's variables where parameters stand.
fn with_names(query: &str) -> Result<String> {
    let mut pieces = query.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let names = [
            ("\"community_id\" =", ":community"),
            ("\"channel_id\" =", ":channel"),
            ("\"seq\" >=", ":first"),
            ("\"seq\" <", ":beyond"),
            ("LIMIT", ":rows"),
        ];
        let before = text.trim_end();
        let name = names.iter().find(|(end, _)| before.ends_with(end));
        let (_, name) = name.ok_or_else(|| format!("a parameter nobody knows: {query}"))?;
        text.push_str(name);
        text.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    Ok(format!("{text};\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_get_names() {
        let query = r#"SELECT "seq" FROM "messages" WHERE "messages"."community_id" = $1 AND "messages"."channel_id" = $2 AND "messages"."seq" >= $3 AND "messages"."seq" < $4 ORDER BY "messages"."seq" DESC LIMIT $5"#;
        let named = with_names(query).unwrap();
        assert!(!named.contains('$'), "{named}");
        assert!(named.contains(r#""seq" < :beyond ORDER"#), "{named}");
        assert!(named.ends_with("LIMIT :rows;\n"), "{named}");
        assert!(with_names(r#"… WHERE "kind" = $1"#).is_err());
    }
}
