//! A bad network before PostgreSQL: answers are right or "try again", nothing is lost or doubled,
//! and nobody has to restart anything.

use std::time::{Duration, Instant};

use guildhall_catalog::{IDENTITY, MESSAGING};
use guildhall_proto::messaging::v1::{
    SendMessageRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{
    Cluster, Mode, Plan, Replicas, When,
    grpc::{Services, connect, signed},
};
use guildhall_tests::{
    Keys, Ledger,
    figures::Fate,
    key,
    memory::Memory,
    traffic::{EntryPoint, Room, Traffic, refusal},
};
use tokio::time::sleep;

/// A gateway's budget for a request, and what a busy machine adds to it.
const BUDGET: Duration = Duration::from_secs(15 + 1);
/// How long a line swallows everything: whoever waited for its end would wait for too long.
const OUTAGE: Duration = Duration::from_secs(20);
/// How long a line is slow: who has to wait for a connection is refused after eight seconds.
const SLOW: Duration = Duration::from_secs(10);
/// How long it may take afterwards until everything works again.
const RECOVERY: Duration = Duration::from_secs(10);
/// Right answers in a row with which a client counts as working again.
const WORKING: usize = 10;

async fn cluster(replicas: usize) -> Cluster {
    Cluster::start_with(Plan {
        replicas: Replicas::with(&[(MESSAGING, replicas)]),
        proxies: true,
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn a_slow_line_to_messagings_database_slows_it_down_and_no_more() {
    let cluster = cluster(1).await;
    let mut traffic = Traffic::in_room(&Room::open(&cluster).await);
    let (rest, grpc) = (
        EntryPoint::gateway(&cluster, 0),
        EntryPoint::messaging(&cluster, 0).await,
    );
    traffic.sends("rest", &rest, 8);
    traffic.keyed_sends("rest", &rest, 8);
    traffic.sends("grpc", &grpc, 8);
    traffic.reads("rest", &rest, 4);
    traffic.is_steady(100).await;
    let memory = Memory::of(&cluster);
    let delay = Duration::from_millis(200);
    cluster[MESSAGING][0]
        .proxies()
        .database
        .set(Mode::Delay(delay));
    let slow_from = Instant::now();
    sleep(SLOW).await;
    let slow_to = Instant::now();
    cluster[MESSAGING][0].proxies().database.set(Mode::Pass);
    traffic.goes_on(100).await;
    let records = traffic.end().await;

    records.expect_no_surprise();
    let slow = records.during(slow_from, slow_to).figures();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    let growth = memory.growth();
    println!("200 ms each way to messaging's database: {slow}; {outcome:?}; {growth}");
    assert_eq!(slow.refused, 0, "slow is no reason to refuse");
    assert!(slow.longest >= 2 * delay, "it was slow");
    assert!(slow.longest < BUDGET);
}

/// What messaging says to one message, while the line is reset at a certain moment of its storing.
async fn sent_while_cut(
    cluster: &Cluster,
    room: &Room,
    n: usize,
    keyed: bool,
    (pattern, when): (&str, When),
) -> Fate {
    let text = format!("number {n}, {when:?}, {}", pattern.to_lowercase());
    let pattern = pattern.replace("TEXT", &text);
    let line = &cluster[MESSAGING][0].proxies().database;
    let reset = line.reset_when(pattern.as_bytes(), when);
    let request = SendMessageRequest {
        channel: room.channel.clone(),
        sender: "ada".into(),
        text: text.clone(),
        ..Default::default()
    };
    let mut request = signed(request, &format!("Bearer {}", room.key));
    if keyed {
        // Not the text, which is looked for.
        let key = format!("{when:?} {} {n}", pattern.len()).parse().unwrap();
        request.metadata_mut().insert("idempotency-key", key);
    }
    let mut messages = MessageServiceClient::new(connect(cluster[MESSAGING][0].url()).await);
    let answer = messages.send_message(request).await;
    tokio::time::timeout(Duration::from_secs(5), reset)
        .await
        .expect("the line was reset");
    match answer {
        Ok(answer) => {
            let id = answer.into_inner().message.unwrap().id;
            Fate::Stored { id, text }
        }
        Err(status) => refusal(&status),
    }
}

#[tokio::test]
async fn a_reset_in_mid_transaction_leaves_no_doubt() {
    let cluster = cluster(1).await;
    let room = Room::open(&cluster).await;
    // Its text travels with the insert, whose statement the server knows already.
    let cuts = [
        ("TEXT", When::BeforeForwarding),
        ("TEXT", When::BeforeAnswering),
        ("COMMIT", When::BeforeForwarding),
        ("COMMIT", When::AfterForwarding),
        ("COMMIT", When::BeforeAnswering),
    ];
    for cut in cuts {
        let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
        let mut longest = Duration::ZERO;
        for n in 0..10 {
            let began = Instant::now();
            match sent_while_cut(&cluster, &room, n, n % 2 == 0, cut).await {
                Fate::Stored { id, text } => acknowledged.push((id, text)),
                Fate::Refused(reason) => refused.push(reason),
                other @ (Fate::Read | Fate::InFlight | Fate::Wrong(_)) => {
                    panic!("{cut:?}: {other:?}")
                }
            }
            longest = longest.max(began.elapsed());
        }
        let ledger = Ledger::of(&cluster).await;
        ledger.assert_sound();
        let suffix = format!(", {:?}, {}", cut.1, cut.0.to_lowercase());
        let stored = ledger.rows.iter().filter(|row| row.text.ends_with(&suffix));
        let stored: Vec<_> = stored
            .map(|row| (row.id.clone(), row.text.clone()))
            .collect();
        println!(
            "reset at {cut:?}: 10 sent, {} acknowledged, {} refused {:?}, {} stored, longest {longest:.1?}",
            acknowledged.len(),
            refused.len(),
            refused.first(),
            stored.len(),
        );
        assert_eq!(
            stored, acknowledged,
            "{cut:?}: stored is what was said to be"
        );
        let commits = matches!(
            cut,
            ("COMMIT", When::AfterForwarding | When::BeforeAnswering)
        );
        // What is acknowledged all the same: there the line was cut as the relay of events remembered
        // how far it had come.
        let never = cut == ("COMMIT", When::BeforeForwarding);
        assert!(
            !commits || refused.is_empty(),
            "it is stored, and that can be found out"
        );
        assert!(!never || !refused.is_empty(), "nobody has committed it");
    }
    // Whoever was refused tries again, and is not stored twice.
    let mut traffic = Traffic::in_room(&room);
    traffic.keyed_sends("rest", &EntryPoint::gateway(&cluster, 0), 4);
    let line = &cluster[MESSAGING][0].proxies().database;
    for when in [
        When::BeforeForwarding,
        When::AfterForwarding,
        When::BeforeAnswering,
    ] {
        for _ in 0..5 {
            line.reset_when(b"COMMIT", when).await;
            traffic.goes_on(4).await;
        }
    }
    let records = traffic.end().await;
    records.expect_no_surprise();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "15 resets at COMMIT under load: {}; {outcome:?}",
        records.figures()
    );
}

#[tokio::test]
async fn a_replica_that_is_cut_off_from_the_database_says_so_and_recovers() {
    let cluster = cluster(2).await;
    let room = Room::open(&cluster).await;
    let mut traffic = Traffic::in_room(&room);
    let rest = EntryPoint::gateway(&cluster, 0);
    let (cut_off, other) = (
        EntryPoint::messaging(&cluster, 0).await,
        EntryPoint::messaging(&cluster, 1).await,
    );
    traffic.sends("gateway", &rest, 8);
    traffic.keyed_sends("gateway", &rest, 8);
    traffic.reads("gateway", &rest, 4);
    traffic.sends("cut off", &cut_off, 8);
    traffic.keyed_sends("cut off", &cut_off, 4);
    traffic.reads("cut off", &cut_off, 4);
    traffic.sends("other", &other, 8);
    traffic.reads("other", &other, 2);
    traffic.is_steady(300).await;
    let memory = Memory::of(&cluster);
    let line = &cluster[MESSAGING][0].proxies().database;
    line.set(Mode::Blackhole);
    let cut_at = Instant::now();
    sleep(OUTAGE).await;
    let healed_at = Instant::now();
    line.set(Mode::Pass);
    traffic.everybody_goes_on(WORKING).await;
    let records = traffic.end().await;

    let outage = records.during(cut_at, healed_at);
    let recovered_in = records.recovered_in(healed_at);
    for via in ["gateway", "cut off", "other"] {
        println!(
            "database away for messaging-0, {via}: {}",
            outage.via(via).figures()
        );
    }
    let growth = memory.growth();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "database away for messaging-0: {outcome:?}; {growth}; recovered in {recovered_in:.1?}"
    );
    records.expect_no_surprise();
    assert!(outage.via("gateway").figures().longest < BUDGET);
    assert!(
        outage.via("cut off").figures().refused > 0,
        "it was cut off"
    );
    let other = outage.via("other").figures();
    assert!(
        other.longest < Duration::from_secs(10),
        "locks of the other: {other}"
    );
    assert_eq!(other.refused, 0);
    assert!(recovered_in < RECOVERY);
}

/// A good key that no process has seen.
async fn unused_key(cluster: &Cluster) -> String {
    let services = Services::at(&connect(cluster.identity_url()).await);
    let keys = Keys::new(services, &cluster.demo().user("johndoe").jwt);
    keys.community(key::spec(&["getMessages"])).await.text
}

#[tokio::test]
async fn without_identitys_database_who_is_known_goes_on() {
    let cluster = cluster(1).await;
    let room = Room::open(&cluster).await;
    let mut traffic = Traffic::in_room(&room);
    let rest = EntryPoint::gateway(&cluster, 0);
    traffic.sends("known", &rest, 8);
    traffic.keyed_sends("known", &rest, 4);
    traffic.reads("known", &rest, 4);
    traffic.logins("login", &cluster.rest(), &cluster.demo());
    traffic.is_steady(300).await;
    let mut strangers = Traffic::in_room(&Room {
        key: unused_key(&cluster).await,
        ..room
    });
    let memory = Memory::of(&cluster);
    let line = &cluster[IDENTITY][0].proxies().database;
    line.set(Mode::Blackhole);
    let cut_at = Instant::now();
    strangers.reads("unknown", &rest, 4);
    sleep(OUTAGE).await;
    let healed_at = Instant::now();
    line.set(Mode::Pass);
    traffic.everybody_goes_on(WORKING).await;
    strangers.everybody_goes_on(WORKING).await;
    let (records, strangers) = (traffic.end().await, strangers.end().await);

    let outage = records.during(cut_at, healed_at);
    let (known, logins) = (outage.via("known").figures(), outage.via("login").figures());
    let unknown = strangers.within(cut_at, healed_at).figures();
    let recovered_in = records.recovered_in(healed_at);
    let growth = memory.growth();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "identity's database away: known {known}; unknown {unknown}; logins {logins}; {outcome:?}; \
         {growth}; recovered in {recovered_in:.1?}"
    );
    records.expect_no_surprise();
    strangers.expect_no_surprise();
    assert!(logins.longest < BUDGET && known.longest < BUDGET && unknown.longest < BUDGET);
    assert!(unknown.refused > 0 && unknown.right == 0);
    let cut_off = records.within(cut_at, healed_at).via("login");
    assert!(logins.refused > 0 && cut_off.figures().right == 0);
    // What was looked up before counts for half a minute, and for a second where the machine is so
    // busy that the bus is not relied on.
    assert!(known.right > 0);
    assert!(recovered_in.max(strangers.recovered_in(healed_at)) < RECOVERY);
}
