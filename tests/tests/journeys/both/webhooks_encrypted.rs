//! Encrypted calls of incoming webhooks, as the contract words them.

use std::time::{Duration, Instant};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use guildhall_testkit::Answer;
use guildhall_tests::{
    Community,
    webhook::{Webhook, sent},
};
use serde_json::{Value, json};

const AES_KEY: &str = "0123456789 abcdefghijklmnopqrst~";
/// What every body that cannot be decrypted is told.
const UNDECRYPTABLE: &str = r#"{"message":"Invalid encrypted body","status":"error"}"#;

fn gcm(plain: &str) -> Value {
    let key = UnboundKey::new(&AES_256_GCM, AES_KEY.as_bytes()).unwrap();
    let (iv, mut data) = ([7; 12], plain.as_bytes().to_vec());
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut data)
        .unwrap();
    json!({
        "iv": STANDARD.encode(iv), "data": STANDARD.encode(data), "tag": STANDARD.encode(tag)
    })
}

fn cbc(plain: &str) -> Value {
    let key = UnboundCipherKey::new(&AES_256, AES_KEY.as_bytes()).unwrap();
    let mut data = plain.as_bytes().to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap();
    let DecryptionContext::Iv128(iv) = key.encrypt(&mut data).unwrap() else {
        panic!("CBC has an IV");
    };
    json!({ "iv": STANDARD.encode(iv.as_ref()), "data": STANDARD.encode(data) })
}

#[tokio::test]
async fn bodies_are_encrypted_in_either_mode() {
    let community = Community::start().await;
    let hello = json!({ "message": "Psst" }).to_string();
    for (mode, body) in [("gcm", gcm(&hello)), ("cbc", cbc(&hello))] {
        let encryption = json!({ "isEnabled": true, "mode": mode, "key": AES_KEY });
        let safe = Webhook::make(&community, json!({ "encryption": encryption })).await;
        let id = sent(&safe.call_encrypted(&community, &body.to_string()).await);
        assert_eq!(community.message(&id).await.text, "Psst");

        let shown = community
            .integrator()
            .get(&format!("/v1/webhooks/incoming/{}", safe.id))
            .await;
        assert!(!shown.body.contains(AES_KEY), "{}", shown.body);
        let expected = json!({ "isEnabled": true, "mode": mode });
        assert_eq!(shown.expect(200)["data"]["encryption"], expected);
    }
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_refused_alike_whatever_the_cause() {
    let community = Community::start().await;
    let hello = json!({ "message": "Psst" }).to_string();
    let plain = Webhook::make(&community, json!({})).await;
    let refused = async |answer: Answer, begun: Instant, cause: &str| {
        assert_eq!(
            (answer.status, &*answer.body),
            (400, UNDECRYPTABLE),
            "{cause}"
        );
        assert!(
            begun.elapsed() >= Duration::from_millis(25),
            "{cause} is told by the time"
        );
    };
    let begun = Instant::now();
    let answer = plain
        .call_encrypted(&community, &gcm(&hello).to_string())
        .await;
    refused(answer, begun, "encrypted though it must not be").await;

    for (mode, good) in [("gcm", gcm(&hello)), ("cbc", cbc(&hello))] {
        let encryption = json!({ "isEnabled": true, "mode": mode, "key": AES_KEY });
        let safe = Webhook::make(&community, json!({ "encryption": encryption })).await;
        let begun = Instant::now();
        let answer = safe.call_with(&community, &[], &hello).await;
        refused(answer, begun, "plain though it must not be").await;

        let broken = |field: &str, value: &str| {
            let mut body = good.clone();
            body[field] = value.into();
            body
        };
        let not_json = if mode == "gcm" {
            gcm("Psst")
        } else {
            cbc("Psst")
        };
        for (cause, body) in [
            ("no JSON", json!("x")),
            ("no parts", json!({})),
            (
                "the other mode",
                if mode == "gcm" {
                    cbc(&hello)
                } else {
                    gcm(&hello)
                },
            ),
            ("another IV", broken("iv", &STANDARD.encode([8; 16]))),
            ("a short IV", broken("iv", "AAAA")),
            ("no base64", broken("data", "!")),
            ("a cut text", broken("data", &STANDARD.encode([0; 15]))),
            ("another text", broken("data", &STANDARD.encode([0; 32]))),
            ("no JSON inside", not_json),
        ] {
            let begun = Instant::now();
            let answer = safe.call_encrypted(&community, &body.to_string()).await;
            refused(answer, begun, cause).await;
        }
    }
}
