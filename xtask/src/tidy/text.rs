//! Rules for every text file, whatever its language.
//!
//! The forbidden words are spelled in two halves here, so that this file does not find itself.

use super::Findings;

/// What must not be committed, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("to", "do!("), "unfinished code"),
    (concat!("unimple", "mented!("), "unfinished code"),
    (concat!("db", "g!("), "a debugging aid"),
    (concat!("#[ign", "ore"), "a test that does not run"),
    (concat!("FIX", "ME"), "mend it, or say in words what is absent"),
    (concat!("TO", "DO"), "do it, or say in words what is absent"),
];

/// Directories of one machine or one person.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Use", "rs/"), concat!("/wo", "rk/")];

/// Adds what is wrong with the text.
pub(super) fn check(content: &str, findings: &mut Findings) {
    if !content.is_empty() && !content.ends_with('\n') {
        findings.errors.push(": the last line does not end".to_owned());
    }
    if content.ends_with("\n\n") {
        findings.errors.push(": empty lines at the end".to_owned());
    }
    for (index, line) in content.lines().enumerate() {
        for problem in problems(line) {
            findings.errors.push(format!(":{}: {problem}", index + 1));
        }
    }
}

fn problems(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    // `lines` takes a carriage return away with the line feed; a remaining one is white space too.
    if line.ends_with(char::is_whitespace) {
        found.push("white space at the end of the line".to_owned());
    }
    for (word, why) in FORBIDDEN {
        if line.contains(word) {
            found.push(format!("`{word}`: {why}"));
        }
    }
    for path in MACHINE_PATHS {
        if names_path(line, path) {
            found.push(format!("`{path}`: a path of one machine"));
        }
    }
    found
}

/// Whether an absolute path that begins so stands in the line (`a/home/b` is relative, and no finding).
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~/}*".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(content: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(content, &mut findings);
        findings.errors
    }

    #[test]
    fn plain_text_passes() {
        assert_eq!(errors("one\n\ntwo\n"), Vec::<String>::new());
        assert_eq!(errors(""), Vec::<String>::new());
    }

    #[test]
    fn ends_of_lines_and_files_are_checked() {
        assert_eq!(errors("one"), [": the last line does not end"]);
        assert_eq!(errors("one \ntwo\t\n").len(), 2);
        assert_eq!(errors("one\n\n"), [": empty lines at the end"]);
    }

    #[test]
    fn every_forbidden_word_is_found_at_its_line() {
        for (word, _) in FORBIDDEN {
            let found = errors(&format!("fine\n    {word}x\n"));
            assert_eq!(found.len(), 1, "{word}");
            assert!(found[0].starts_with(":2: "), "{}", found[0]);
        }
    }

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        for path in MACHINE_PATHS {
            assert_eq!(errors(&format!("see \"{path}x\"\n")).len(), 1, "{path}");
            assert_eq!(errors(&format!("see a{path}x\n")).len(), 0, "{path}");
        }
    }
}
