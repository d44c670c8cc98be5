//! When two texts are one name. What is unique is compared in these forms; what is shown stays as it
//! was typed.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::text::is_ignorable;

/// The form of usernames, slugs and other names: Unicode's compatibility caseless form (NFKC and
/// case folding) without the characters that are not shown. `Zoë`, `ZOE\u{308}` and `zo\u{200b}ë`
/// are one name.
#[must_use]
pub fn name(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfd();
    let first = folded(&decomposed.normalize(text));
    // What is folded may compose to what folds again.
    folded(&first)
}

/// NFKC of the case folding of what is shown of a text.
fn folded(text: &str) -> String {
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    let case = CaseMapper::new();
    let composed = compatible.normalize(&case.fold_string(text)).into_owned();
    let shown: String = composed.chars().filter(|c| !is_ignorable(*c)).collect();
    compatible.normalize(&shown).into_owned()
}

/// The form of e-mail addresses: NFC in lower case. Not that of names, which would make two mailboxes
/// one (`straße@` and `strasse@`).
#[must_use]
pub fn address(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let case = CaseMapper::new();
    // Character by character: a sigma is the same at the end of a word.
    let lower = nfc(text);
    let lower = lower.chars().flat_map(char::to_lowercase);
    let lower: String = lower.map(|c| case.simple_fold(c)).collect();
    nfc(&lower).into_owned()
}

/// A text with its characters composed.
#[must_use]
pub fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_the_same_are_one() {
        for (one, other) in [
            ("Ada", "ada"),
            ("Zo\u{eb}", "ZOE\u{308}"),
            ("ada", "ad\u{200b}a"),
            ("ada", "\u{2060}a\u{ad}da\u{fe0f}"),
            ("ada", "ａｄａ"),
            ("straße", "STRASSE"),
            ("ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"),
            ("ﬁnn", "FINN"),
            ("\u{1100}\u{1161}", "가"),
        ] {
            assert_eq!(name(one), name(other), "{one:?} and {other:?}");
        }
        assert_ne!(name("ada"), name("adà"));
        assert_ne!(name("囲碁"), name("将棋"));
    }

    #[test]
    fn addresses_that_reach_one_mailbox_are_one() {
        for (one, other) in [
            ("José@Example.com", "jose\u{301}@example.com"),
            ("ΣΊΣΥΦΟΣ@example.com", "σίσυφος@example.com"),
            ("İ@example.com", "i\u{307}@example.com"),
        ] {
            assert_eq!(address(one), address(other), "{one:?} and {other:?}");
        }
        assert_ne!(
            address("straße@example.com"),
            address("strasse@example.com")
        );
        assert_ne!(
            address("ada@example.com"),
            address("ada\u{200b}@example.com")
        );
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            prop_assert_eq!(&name(&name(&text)), &name(&text));
            prop_assert_eq!(&address(&address(&text)), &address(&text));
        }

        #[test]
        fn neither_case_nor_form_matters(text in "\\PC{0,40}") {
            let decomposed = DecomposingNormalizerBorrowed::new_nfd();
            let decomposed = decomposed.normalize(&text);
            prop_assert_eq!(&name(&decomposed), &name(&text));
            // Marks that are folded before they are in order may end up in another one.
            let other_case = CaseMapper::new().fold_string(&decomposed).into_owned();
            prop_assert_eq!(&name(&other_case), &name(&text));
            prop_assert_eq!(&address(&decomposed), &address(&text));
        }

        #[test]
        fn ascii_is_lower_cased_as_before(text in "[ -~]{0,40}") {
            prop_assert_eq!(&name(&text), &text.to_lowercase());
            prop_assert_eq!(&address(&text), &text.to_lowercase());
        }
    }
}
