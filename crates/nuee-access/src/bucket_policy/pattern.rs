//! Texts of a policy with wildcards and variables: parsed once, filled in for a request, compared with a text.
//!
//! `*` stands for any characters or none, `?` for one. In a policy of the version 2012-10-17, `${key}` stands for what
//! the request has for that key, `${key, 'text'}` gives a default, and `${*}`, `${?}` and `${$}` are these characters
//! themselves. A variable without a value is no text at all, so the pattern that holds it matches nothing. Wildcards
//! that come from a request are characters like others.

use std::borrow::Cow;

use super::key::ConditionKey;

/// How a text of a policy is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${…}` is a variable.
    pub(super) variables: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Text(String),
    /// `*`
    Any,
    /// `?`
    One,
    Variable {
        key: ConditionKey,
        default: Option<String>,
    },
}

/// A text with wildcards and variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Token>);

/// A character of a pattern that has been filled in.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Exact(char),
    One,
    Any,
}

impl Pattern {
    /// Parses a text; the error says what is wrong with it.
    pub(super) fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        let mut pattern = Self(Vec::new());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if dialect.variables && rest.starts_with("${") {
                let (inside, after) = rest[2..]
                    .split_once('}')
                    .ok_or_else(|| format!("{text:?} has a variable that does not end"))?;
                pattern.push_variable(inside)?;
                rest = after;
                continue;
            }
            match character {
                '*' if dialect.wildcards => pattern.0.push(Token::Any),
                '?' if dialect.wildcards => pattern.0.push(Token::One),
                other => pattern.push_character(other),
            }
            rest = &rest[character.len_utf8()..];
        }
        Ok(pattern)
    }

    fn push_character(&mut self, character: char) {
        if let Some(Token::Text(text)) = self.0.last_mut() {
            text.push(character);
        } else {
            self.0.push(Token::Text(character.to_string()));
        }
    }

    fn push_variable(&mut self, inside: &str) -> Result<(), String> {
        if matches!(inside, "*" | "?" | "$") {
            inside.chars().for_each(|character| self.push_character(character));
            return Ok(());
        }
        let (name, default) = match inside.split_once(',') {
            None => (inside, None),
            Some((name, default)) => {
                let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                let default = quoted.ok_or_else(|| {
                    format!("the default of ${{{inside}}} must stand between single quotes")
                })?;
                (name, Some(default.to_owned()))
            }
        };
        let key = ConditionKey::parse(name.trim()).map_err(|error| error.to_string())?;
        if key.is_multivalued() {
            return Err(format!("{key} has several values, and cannot be a variable"));
        }
        self.0.push(Token::Variable { key, default });
        Ok(())
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.0
    }

    /// What its variables look at.
    pub(super) fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        self.0.iter().filter_map(|token| match token {
            Token::Variable { key, .. } => Some(key),
            _ => None,
        })
    }

    /// The whole text, if there is nothing to fill in.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Token::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What every text that it matches begins with.
    pub(super) fn head(&self) -> &str {
        match self.0.first() {
            Some(Token::Text(text)) => text,
            _ => "",
        }
    }

    /// Splits at the first five colons that stand in the text itself, as an ARN is divided; `None` if there are fewer.
    pub(super) fn split_arn(&self) -> Option<[Self; 6]> {
        let mut parts: [Self; 6] = std::array::from_fn(|_| Self(Vec::new()));
        let mut part = 0;
        for token in &self.0 {
            let Token::Text(text) = token else {
                parts[part].0.push(token.clone());
                continue;
            };
            for character in text.chars() {
                if character == ':' && part < 5 {
                    part += 1;
                } else {
                    parts[part].push_character(character);
                }
            }
        }
        (part == 5).then_some(parts)
    }

    /// Whether it matches the whole of `text`, with what `lookup` has for its variables. With `fold`, letters of both
    /// cases are the same.
    pub(super) fn matches<'a>(
        &self,
        text: &str,
        fold: bool,
        lookup: impl Fn(&ConditionKey) -> Option<Cow<'a, str>>,
    ) -> bool {
        let read = |text: &str| -> Vec<char> {
            if fold { text.chars().flat_map(char::to_lowercase).collect() } else { text.chars().collect() }
        };
        let text = read(text);
        let mut pieces = Vec::new();
        let mut characters = 0;
        for token in &self.0 {
            let literal = match token {
                Token::Any => {
                    pieces.push(Piece::Any);
                    continue;
                }
                Token::One => {
                    pieces.push(Piece::One);
                    characters += 1;
                    continue;
                }
                Token::Text(text) => read(text),
                Token::Variable { key, default } => match (lookup(key), default) {
                    (Some(value), _) => read(&value),
                    (None, Some(default)) => read(default),
                    (None, None) => return false,
                },
            };
            characters += literal.len();
            // Nothing longer than the text can match it; this also bounds what variables can make of a pattern.
            if characters > text.len() {
                return false;
            }
            pieces.extend(literal.into_iter().map(Piece::Exact));
        }
        matches_whole(&pieces, &text)
    }
}

/// Compares with backtracking to the last `*` alone, which is enough, and bounded by the product of the lengths.
fn matches_whole(pieces: &[Piece], text: &[char]) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                last_any = Some((piece, at));
                piece += 1;
            }
            Some(Piece::One) => {
                piece += 1;
                at += 1;
            }
            Some(Piece::Exact(character)) if *character == text[at] => {
                piece += 1;
                at += 1;
            }
            _ => {
                let Some((any, covered)) = last_any else { return false };
                last_any = Some((any, covered + 1));
                piece = any + 1;
                at = covered + 1;
            }
        }
    }
    pieces[piece..].iter().all(|piece| *piece == Piece::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Dialect = Dialect { wildcards: true, variables: true };

    fn matches(pattern: &str, text: &str) -> bool {
        let lookup = |key: &ConditionKey| match key {
            ConditionKey::UserName => Some(Cow::Borrowed("a*b")),
            _ => None,
        };
        Pattern::parse(pattern, ALL).unwrap().matches(text, false, lookup)
    }

    #[test]
    fn wildcards_and_variables_match_as_documented() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("a*c", "abbc"),
            ("*a*b", "xaxbab"),
            ("a?c", "aéc"),
            ("${aws:username}/*", "a*b/x"),
            ("${aws:Referer, 'none'}", "none"),
            ("${*}${?}${$}", "*?$"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a?c", "ac"),
            ("a*c", "abcd"),
            ("${aws:username}/*", "axb/x"),
            ("*${aws:Referer}", "anything"),
            ("${*}", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_variable_that_cannot_be_is_refused() {
        for text in
            ["${aws:username", "${}", "${aws:nothing}", "${s3:RequestObjectTagKeys}", "${aws:Referer, none}"]
        {
            assert!(Pattern::parse(text, ALL).is_err(), "{text}");
        }
        let plain = Pattern::parse("${aws:nothing}", Dialect { wildcards: true, variables: false }).unwrap();
        assert_eq!(plain.as_text(), Some("${aws:nothing}"), "in the older version it is plain text");
    }
}
