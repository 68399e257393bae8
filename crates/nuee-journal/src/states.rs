//! Holding rows against what the journal says was done.

use std::collections::BTreeMap;

/// What is known of each resource, in words: by the journal, or by rows.
pub type States = BTreeMap<String, String>;

/// Each resource of which the rows say something else than the journal, and how that shows.
#[must_use]
pub fn differences(journal: &States, rows: &States) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (resource, said) in journal {
        let detail = match rows.get(resource) {
            Some(state) if state == said => continue,
            Some(state) => format!("the journal says \"{said}\", its row \"{state}\""),
            None => format!("the journal says \"{said}\", and its row is missing"),
        };
        found.push((resource.clone(), detail));
    }
    let unsaid = rows.keys().filter(|resource| !journal.contains_key(*resource));
    found.extend(unsaid.map(|resource| {
        (resource.clone(), "it has a row, and the journal says that it does not exist".into())
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_different_or_too_much_is_found() {
        let states = |pairs: &[(&str, &str)]| -> States {
            pairs.iter().map(|(resource, state)| ((*resource).to_owned(), (*state).to_owned())).collect()
        };
        let journal = states(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let found = differences(&journal, &states(&[("a", "1"), ("b", "1"), ("d", "4")]));
        let names: Vec<_> = found.iter().map(|(resource, _)| resource.as_str()).collect();
        assert_eq!(names, ["b", "c", "d"]);
        assert_eq!(differences(&journal, &journal), []);
    }
}
