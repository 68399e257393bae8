//! Rules for Rust sources: the header, and the length of the file and of each function.
//!
//! Functions are found by a parser, not by counting braces. A function's length is from `fn` to its closing
//! brace, without its documentation; a file's is without its test modules. What a macro hides is not measured.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Findings;

/// Aim and limit of a file, in lines without test modules.
const FILE_LINES: (usize, usize) = (400, 800);

/// Aim and limit of a function, in lines.
const FUNCTION_LINES: (usize, usize) = (40, 70);

/// Adds what is wrong with the source.
pub(super) fn check(content: &str, findings: &mut Findings) {
    if !content.starts_with("//!") {
        findings.errors.push(":1: no `//!` header: what the module is, promises, and does not do".to_owned());
    }
    let file = match syn::parse_file(content) {
        Ok(file) => file,
        Err(error) => {
            findings.errors.push(format!(":{}: not Rust: {error}", error.span().start().line));
            return;
        }
    };
    let mut measure = Measure::default();
    measure.visit_file(&file);
    let lines = content.lines().count().saturating_sub(measure.test_lines);
    findings.measured(FILE_LINES, lines, ": the file");
    for function in measure.functions {
        findings.measured(FUNCTION_LINES, function.lines, &format!(":{}: fn {}", function.at, function.name));
    }
}

impl Findings {
    fn measured(&mut self, (aim, limit): (usize, usize), lines: usize, what: &str) {
        if lines > limit {
            self.errors.push(format!("{what} has {lines} lines, the limit is {limit}"));
        } else if lines > aim {
            self.notes.push(format!("{what} has {lines} lines, the aim is {aim}"));
        }
    }
}

struct Function {
    name: String,
    at: usize,
    lines: usize,
}

#[derive(Default)]
struct Measure {
    functions: Vec<Function>,
    test_lines: usize,
    inside_tests: bool,
}

impl Measure {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let at = signature.span().start().line;
        let lines = block.span().end().line + 1 - at;
        self.functions.push(Function { name: signature.ident.to_string(), at, lines });
    }
}

impl<'ast> Visit<'ast> for Measure {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let outermost = !self.inside_tests && item.attrs.iter().any(is_test_configuration);
        if outermost {
            self.test_lines += span_lines(item.span());
            self.inside_tests = true;
        }
        visit::visit_item_mod(self, item);
        if outermost {
            self.inside_tests = false;
        }
    }
}

fn span_lines(span: Span) -> usize {
    span.end().line + 1 - span.start().line
}

/// Whether the attribute is exactly `#[cfg(test)]`.
fn is_test_configuration(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(content: &str) -> Findings {
        let mut findings = Findings::default();
        check(content, &mut findings);
        findings
    }

    /// A function of exactly `lines` lines.
    fn function(name: &str, lines: usize) -> String {
        format!("/// Says.\n#[inline]\nfn {name}() {{\n{}}}\n", "    call();\n".repeat(lines - 2))
    }

    #[test]
    fn a_header_is_demanded() {
        assert_eq!(findings("//! Says.\n").errors.len(), 0);
        assert_eq!(findings("// Says.\n").errors.len(), 1);
    }

    #[test]
    fn functions_are_measured_at_their_limits() {
        let of = |lines| findings(&format!("//! H.\n{}", function("measured", lines)));
        assert_eq!((of(40).notes.len(), of(40).errors.len()), (0, 0));
        assert_eq!((of(41).notes.len(), of(41).errors.len()), (1, 0));
        assert_eq!((of(70).notes.len(), of(70).errors.len()), (1, 0));
        assert_eq!(of(71).errors, [":4: fn measured has 71 lines, the limit is 70"]);
    }

    #[test]
    fn methods_nested_functions_and_functions_of_tests_are_measured() {
        let long = function("measured", 80);
        for around in ["impl X {", "trait X {", "fn outer() {", "#[cfg(test)]\nmod tests {"] {
            let found = findings(&format!("//! H.\n{around}\n{long}}}\n")).errors;
            assert!(found.iter().any(|error| error.contains("fn measured has 80")), "{around}: {found:?}");
        }
    }

    #[test]
    fn files_are_measured_without_their_test_modules() {
        let items = |count: usize| "const X: () = ();\n".repeat(count);
        assert_eq!(findings(&format!("//! H.\n{}", items(799))).errors.len(), 0);
        assert_eq!(findings(&format!("//! H.\n{}", items(800))).errors.len(), 1);
        let tested = format!("//! H.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", items(10), items(900));
        assert_eq!(findings(&tested).errors.len(), 0);
        let untested = format!("//! H.\n{}mod more {{\n{}}}\n", items(10), items(900));
        assert_eq!(findings(&untested).errors.len(), 1);
    }

    #[test]
    fn what_is_not_rust_is_an_error() {
        assert_eq!(findings("//! H.\nfn (\n").errors.len(), 1);
    }
}
