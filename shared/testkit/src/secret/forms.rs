//! How a secret may look in a log.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Kind;

/// A key's bytes; fewer of them stand in a log by chance.
const KEY: usize = 16;

/// All that a secret is looked for as; case does not matter.
pub(super) fn of(text: &str, kind: Kind) -> BTreeSet<String> {
    let text = match kind {
        Kind::Credential => telling(text),
        Kind::Password | Kind::PrivateKey | Kind::Message => text,
    };
    let json = serde_json::Value::from(text).to_string();
    let mut forms = BTreeSet::from([
        text.to_owned(),
        text.escape_debug().to_string(),
        json.trim_matches('"').to_owned(),
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
    ]);
    if kind != Kind::Message {
        forms.extend(of_bytes(text.as_bytes()));
        let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() >= KEY);
        forms.extend(bytes.iter().flat_map(|bytes| of_bytes(bytes)));
    }
    forms
}

/// A JWT's signature makes it a credential; whoever shows the whole shows that, too.
fn telling(text: &str) -> &str {
    let signature = text.rsplit_once('.').map(|(_, signature)| signature);
    let signature = signature.filter(|signature| text.starts_with("ey") && signature.len() > 40);
    signature.unwrap_or(text)
}

fn of_bytes(bytes: &[u8]) -> impl Iterator<Item = String> {
    let listed: Vec<_> = bytes.iter().map(ToString::to_string).collect();
    let base64 = (0..3).flat_map(|before| {
        let bytes = [&[0; 2][..before], bytes].concat();
        [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].map(|alphabet| {
            let text = alphabet.encode(&bytes);
            // Its first and last characters hold bits of what stands around it.
            let (first, last) = ([0, 2, 3][before], usize::from(bytes.len() % 3 != 0));
            text[first..text.len() - last].to_owned()
        })
    });
    base64
        .chain([hex::encode(bytes), listed.join(", ")])
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_wherever_it_begins() {
        let forms = of("correct horse", Kind::Password);
        for before in ["", "a", "ab", "abc:"] {
            for after in ["", "z", "yz"] {
                let around = STANDARD_NO_PAD.encode(format!("{before}correct horse{after}"));
                assert!(forms.iter().any(|form| around.contains(form)), "{around}");
            }
        }
    }

    #[test]
    fn what_is_escaped_is_found() {
        let forms = of("a \"quoted\" pass/word", Kind::Password);
        for form in [
            "a \\\"quoted\\\" pass/word",
            "a%20%22quoted%22%20pass%2Fword",
        ] {
            assert!(forms.contains(form), "{forms:?}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_bytes() {
        let forms = of(&"00ff".repeat(9), Kind::PrivateKey);
        assert!(forms.contains(&["0, 255"; 9].join(", ")), "{forms:?}");
        assert!(forms.contains(&"AP8A/wD/".repeat(3)), "{forms:?}");
    }

    #[test]
    fn a_token_is_found_by_its_signature() {
        let signature = "s".repeat(86);
        let forms = of(&format!("eyJh.eyJz.{signature}"), Kind::Credential);
        assert!(forms.contains(&signature), "{forms:?}");
    }
}
