//! Text from outside, made harmless and bounded before it is put into a message.

/// One text of at most `most` UTF-16 units (what Slack and JavaScript count in), cut with an ellipsis. Without what could
/// disguise it: control characters except line breaks, and the characters that reorder text or take no room.
pub(super) fn plain(text: &str, most: usize) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\n' => Some(c),
        '\t' | '\r' => Some(' '),
        _ if c.is_control() || is_invisible(c) => None,
        _ => Some(c),
    });
    let kept: String = kept.collect();
    cut(kept.trim(), most)
}

/// Like [`plain`], on one line.
pub(super) fn line(text: &str, most: usize) -> String {
    plain(&text.replace('\n', " "), most)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let mut kept: String = text
        .chars()
        .take_while(|c| match room.checked_sub(c.len_utf16()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(plain("abcdef", 6), "abcdef");
        assert_eq!(plain("abcdefg", 6), "abcde…");
        assert_eq!(plain("𝕏𝕏𝕏", 4), "𝕏…");
    }

    #[test]
    fn what_disguises_text_is_removed() {
        assert_eq!(line("a\u{202e}b\u{200b}\u{1b}[31m\nc\td\0", 99), "ab[31m c d");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_is_longer_than_its_bound(text in any::<String>(), most in 1..50_usize) {
            prop_assert!(line(&text, most).encode_utf16().count() <= most);
        }
    }
}
