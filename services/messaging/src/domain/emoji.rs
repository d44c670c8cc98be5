//! Emojis: a shortcode and its Unicode character are the same reaction.

use std::{collections::HashMap, fmt, sync::LazyLock};

use guildhall_runtime::{Error, Result};
use guildhall_types::{
    fold,
    text::{at_most, is_blank, is_ignorable},
};

/// The longest key, in characters (contract: sendbird, part 1).
const MAX_LEN: usize = 192;

/// Keys of Sendbird's documentation that are not GitHub shortcodes. Shown in answers as they are.
const ALIASES: &[(&str, &str)] = &[("party", "🎉")];

/// U+FE0E and U+FE0F select how a character is drawn; the emoji stays the same.
const VARIATION_SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// An emoji: its Unicode characters if known, otherwise the key as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Emoji(String);

impl Emoji {
    /// Reads a shortcode, with or without colons, or a Unicode emoji. Skin tones and joined
    /// characters are different emojis. What is not known is one emoji in all its spellings, too.
    ///
    /// # Errors
    /// MISSING_FIELD when nothing of it can be seen, VALUE_TOO_LONG, INVALID_VALUE with control
    /// characters.
    pub fn parse(text: &str) -> Result<Self> {
        let key = trim(text);
        at_most("emoji", key, MAX_LEN)?;
        if key.contains(char::is_control) {
            return Err(Error::invalid(
                "emoji",
                "emoji must not contain control characters",
            ));
        }
        let key = canonical(key);
        if is_blank(&key) {
            return Err(Error::missing("emoji"));
        }
        // Composing can also make a text longer.
        at_most("emoji", &key, MAX_LEN)?;
        if let Some(known) = by_character(&key).or_else(|| by_shortcode(&key)) {
            return Ok(Self(known.to_owned()));
        }
        // A word is one in every case and form; a sequence of symbols stays as it is.
        if !key.contains(char::is_alphabetic) {
            return Ok(Self(key));
        }
        let key = canonical(&fold::name(&key));
        at_most("emoji", &key, MAX_LEN)?;
        let known = by_character(&key).or_else(|| by_shortcode(&key));
        Ok(Self(known.map_or(key, str::to_owned)))
    }

    /// Whether reactions that are stored under `key` are with this emoji, however they were spelled.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.0 == key || Self::parse(key).is_ok_and(|other| other == *self)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without the colons of a shortcode and what is around it, such as space.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| matches!(c, ':' | JOINER) || c.is_whitespace())
}

/// A key as it is compared: composed, without what does not show, and a shortcode in lower case.
fn canonical(key: &str) -> String {
    let shown: String = key
        .chars()
        .filter(|c| !is_ignorable(*c) || tells_apart(*c))
        .collect();
    let composed = fold::nfc(trim(&shown)).into_owned();
    match composed.is_ascii() {
        true => composed.to_ascii_lowercase(),
        false => composed,
    }
}

/// Joins two emojis to another one.
const JOINER: char = '\u{200d}';

/// Whether a character that is not shown itself makes another emoji of those around it: joined ones,
/// and flags whose letters are tags.
fn tells_apart(c: char) -> bool {
    matches!(c, JOINER | '\u{e0020}'..='\u{e007f}')
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The shortcode of a stored emoji, without colons; empty when none is known.
#[must_use]
pub fn shortcode(emoji: &str) -> &'static str {
    let alias = ALIASES.iter().find(|(_, character)| *character == emoji);
    alias
        .map(|(name, _)| *name)
        .or_else(|| emojis::get(emoji)?.shortcode())
        .unwrap_or_default()
}

/// Every emoji by its characters without variation selectors. The table behind `emojis::get` is not
/// enough: in it, some couples without selectors lose a skin tone.
static BARE: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    all()
        .map(|emoji| (bare(emoji.as_str()), emoji.as_str()))
        .collect()
});

fn all() -> impl Iterator<Item = &'static emojis::Emoji> {
    emojis::iter().flat_map(|emoji| {
        let tones = emoji.skin_tones().into_iter().flatten().skip(1);
        std::iter::once(emoji).chain(tones)
    })
}

fn bare(text: &str) -> String {
    text.replace(VARIATION_SELECTORS, "")
}

fn by_character(key: &str) -> Option<&'static str> {
    BARE.get(&bare(key)).copied()
}

fn by_shortcode(name: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias
        .map(|(_, character)| *character)
        .or_else(|| emojis::get_by_shortcode(name).map(emojis::Emoji::as_str))
}

#[cfg(test)]
mod tests {
    use emojis::SkinTone;
    use guildhall_runtime::Reason;
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> String {
        Emoji::parse(text).unwrap().0
    }

    #[test]
    fn every_spelling_is_the_same_reaction() {
        let spellings: &[(&str, &[&str])] = &[
            (
                "💖",
                &[
                    ":sparkling_heart:",
                    "sparkling_heart",
                    " :Sparkling_Heart: ",
                    "💖\u{fe0f}",
                ],
            ),
            (
                "👍",
                &["+1", ":+1:", ":thumbsup:", "👍", "👍\u{fe0f}", "👍\u{fe0e}"],
            ),
            ("❤️", &["heart", "❤", "❤\u{fe0f}"]),
            ("🎉", &["party", ":tada:", "🎉"]),
            (
                "party_parrot",
                &[
                    ":party_parrot:",
                    "party_parrot",
                    ":Party_Parrot:",
                    "PARTY_PARROT\u{fe0f}",
                    "\u{200b}:party\u{2060}_parrot:",
                ],
            ),
            (
                "caf\u{e9}",
                &["caf\u{e9}", "cafe\u{301}", ":cafe\u{301}\u{fe0e}:"],
            ),
            ("👩‍🚀", &["👩‍🚀", "👩‍🚀\u{200d}", "\u{200b}👩‍🚀"]),
            ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", &["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "england"]),
        ];
        for (emoji, spellings) in spellings {
            for spelling in *spellings {
                assert_eq!(parse(spelling), *emoji, "{spelling:?}");
            }
        }
    }

    #[test]
    fn skin_tones_and_joined_characters_are_different_emojis() {
        let all = ["👍", "👍🏽", "👍🏿", "👩", "👩‍💻", "👩🏽‍💻", "🇩🇪", "🇩🇰"];
        let distinct: std::collections::HashSet<_> = all.into_iter().map(parse).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn every_known_emoji_is_itself_with_and_without_selectors_and_by_all_its_shortcodes() {
        for emoji in all() {
            assert_eq!(parse(emoji.as_str()), emoji.as_str());
            assert_eq!(parse(&bare(emoji.as_str())), emoji.as_str());
            for name in emoji.shortcodes().filter(|_| {
                emoji.skin_tone() == Some(SkinTone::Default) || emoji.skin_tone().is_none()
            }) {
                assert_eq!(parse(&format!(":{name}:")), emoji.as_str());
            }
        }
        assert_eq!(
            BARE.len(),
            all().count(),
            "two emojis differ only in selectors"
        );
    }

    #[test]
    fn aliases_shadow_no_shortcode() {
        for (name, character) in ALIASES {
            assert!(emojis::get_by_shortcode(name).is_none(), "{name}");
            assert_eq!(shortcode(character), *name);
        }
        assert_eq!(shortcode("👍"), "+1");
        assert_eq!(shortcode("party_parrot"), "");
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let cases = [
            ("", Reason::MissingField),
            (" :: ", Reason::MissingField),
            (": :", Reason::MissingField),
            ("\u{fe0f}", Reason::MissingField),
            (":\u{200b}:", Reason::MissingField),
            ("\u{200d}", Reason::MissingField),
            (&"x".repeat(193), Reason::ValueTooLong),
            ("a\0", Reason::InvalidValue),
            ("a\nb", Reason::InvalidValue),
        ];
        for (text, reason) in cases {
            assert_eq!(Emoji::parse(text).unwrap_err().reason(), reason, "{text:?}");
        }
        assert!(Emoji::parse(&"é".repeat(192)).is_ok());
    }

    proptest! {
        #[test]
        fn parsing_twice_changes_nothing(text in "\\PC{0,200}") {
            if let Ok(emoji) = Emoji::parse(&text) {
                prop_assert_eq!(&Emoji::parse(emoji.as_str()).unwrap(), &emoji);
                prop_assert!(!emoji.as_str().is_empty());
            }
        }
    }
}
