//! Reads a source file as tokens: which modules it has, which paths it names, what it expects and what it can print.
//!
//! Tokens and not a syntax tree, because paths inside macros (`tokio::select!`, `assert_eq!`) count too. What is behind
//! `#[cfg(test)]` is left out: tests may name anything.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The segments of a path, as written: `["super", "cache", "Cache"]`.
pub type Path = Vec<String>;

/// What one module of a file holds; a file has more than one when modules are written inside it.
#[derive(Debug, Default)]
pub struct Facts {
    /// Paths of two or more segments, and everything that is imported.
    pub paths: Vec<Path>,
    /// Names that `use` brings into the module, and where they come from.
    pub imports: BTreeMap<String, Path>,
    /// Modules declared with `mod name;` for tests only: their files are test files.
    pub test_modules: Vec<String>,
    /// Modules declared behind a feature, and the features.
    pub gated_modules: Vec<(String, String)>,
    /// Messages of `expect`.
    pub expectations: Vec<String>,
    /// Structures and enumerations with the words of their definition.
    pub types: Vec<(String, Vec<String>)>,
    /// Types that implement `Debug`, by derivation or by hand.
    pub printable: Vec<String>,
}

/// The modules of a file by their path below the file's own, which is the empty one.
pub fn read(text: &str) -> BTreeMap<Path, Facts> {
    let tokens = text.parse().expect("the file compiles, so it can be read as tokens");
    let mut modules = BTreeMap::from([(Path::new(), Facts::default())]);
    scan(tokens, &Path::new(), &mut modules);
    modules
}

fn scan(tokens: TokenStream, module: &Path, modules: &mut BTreeMap<Path, Facts>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let (mut at, mut is_for_tests, mut derives_debug, mut feature) = (0, false, false, None);
    while at < tokens.len() {
        let facts = modules.entry(module.clone()).or_default();
        let rest = &tokens[at..];
        if let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = rest
            && hash.as_char() == '#'
            && attribute.delimiter() == Delimiter::Bracket
        {
            let words = words(attribute.stream());
            is_for_tests |= is_cfg_test(&words);
            feature = feature.or_else(|| feature_of(&words, attribute));
            derives_debug |= words.first().is_some_and(|word| word == "derive") && words.contains(&"Debug".to_owned());
            facts.paths.extend(paths_of(attribute));
            at += 2;
            continue;
        }
        match rest {
            [TokenTree::Ident(keyword), TokenTree::Ident(name), ..] if is_for_tests => {
                if keyword == "mod" && is(rest.get(2), ';') {
                    facts.test_modules.push(name.to_string());
                }
                at += item_length(rest);
                is_for_tests = false;
                continue;
            }
            [_, ..] if is_for_tests => {
                at += item_length(rest);
                is_for_tests = false;
                continue;
            }
            [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Group(body), ..] if keyword == "mod" => {
                let inner = [module.as_slice(), &[name.to_string()]].concat();
                scan(body.stream(), &inner, modules);
                at += 3;
                continue;
            }
            [TokenTree::Ident(keyword), TokenTree::Ident(name), ..] if keyword == "mod" => {
                facts.gated_modules.extend(feature.take().map(|feature| (name.to_string(), feature)));
                at += 2;
                continue;
            }
            // `pub(in crate::video)` restricts and imports nothing.
            [TokenTree::Ident(keyword), TokenTree::Group(scope), ..]
                if keyword == "pub" && scope.delimiter() == Delimiter::Parenthesis && !is_a_type(scope) =>
            {
                at += 2;
                continue;
            }
            [TokenTree::Ident(keyword), ..] if keyword == "use" => {
                feature = None;
                let length = item_length(rest);
                let mut leaves = Vec::new();
                tree(&tokens[at + 1..at + length], &Path::new(), &mut leaves);
                for (path, name) in leaves {
                    facts.imports.insert(name, path.clone());
                    facts.paths.push(path);
                }
                at += length;
                continue;
            }
            [TokenTree::Ident(keyword), TokenTree::Ident(name), ..] if keyword == "struct" || keyword == "enum" => {
                let definition = rest[..item_length(rest)].iter().cloned().collect();
                facts.types.push((name.to_string(), words(definition)));
                facts.printable.extend(std::mem::take(&mut derives_debug).then(|| name.to_string()));
            }
            [TokenTree::Ident(keyword), ..] if keyword == "impl" => {
                let header: Vec<_> =
                    rest.iter().take_while(|token| !matches!(token, TokenTree::Group(_))).cloned().collect();
                let header = words(header.into_iter().collect());
                if let Some(target) = header.iter().position(|word| word == "for")
                    && header[..target].last().is_some_and(|word| word == "Debug")
                {
                    facts.printable.extend(header.get(target + 1).cloned());
                }
            }
            [TokenTree::Ident(method), TokenTree::Group(arguments), ..] if method == "expect" => {
                if let Some(TokenTree::Literal(message)) = arguments.stream().into_iter().next() {
                    facts.expectations.push(message.to_string());
                }
            }
            _ => {}
        }
        if is(rest.first(), ';') {
            feature = None;
        }
        match &rest[0] {
            TokenTree::Ident(_) => {
                let (path, length) = path(rest);
                if path.len() > 1 {
                    facts.paths.push(path);
                }
                at += length;
            }
            TokenTree::Group(group) => {
                scan(group.stream(), module, modules);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// `cfg(test)` or `cfg(all(test, …))`.
fn is_cfg_test(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|found| found == word);
    words.first().is_some_and(|word| word == "cfg") && has("test") && !has("not") && !has("any")
}

/// The feature in `cfg(feature = "…")`.
fn feature_of(words: &[String], attribute: &Group) -> Option<String> {
    let text = attribute.to_string();
    (words == ["cfg", "feature"]).then(|| text.split('"').nth(1).unwrap_or_default().to_owned())
}

/// In a tuple structure `pub (A, B)` the parentheses hold a type and not a restriction.
fn is_a_type(scope: &Group) -> bool {
    let first = scope.stream().into_iter().next();
    !matches!(first, Some(TokenTree::Ident(word)) if ["crate", "super", "self", "in"].contains(&word.to_string().as_str()))
}

/// Number of tokens up to the end of an item: its semicolon or its braces.
fn item_length(tokens: &[TokenTree]) -> usize {
    let is_use = matches!(tokens.first(), Some(TokenTree::Ident(word)) if word == "use");
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        token => is(Some(token), ';'),
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

fn is(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_double_colon(tokens: &[TokenTree]) -> bool {
    is(tokens.first(), ':') && is(tokens.get(1), ':')
}

/// The path at the start of `tokens`, and its number of tokens.
fn path(tokens: &[TokenTree]) -> (Path, usize) {
    let (mut path, mut at) = (Path::new(), 0);
    while let Some(TokenTree::Ident(segment)) = tokens.get(at) {
        path.push(segment.to_string());
        at += 1;
        if !(is_double_colon(&tokens[at..]) && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_)))) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// The leaves of a `use` tree with the names under which they are imported.
fn tree(tokens: &[TokenTree], prefix: &Path, leaves: &mut Vec<(Path, String)>) {
    for branch in tokens.split(|token| is(Some(token), ',') || is(Some(token), ';')) {
        let branch = if is_double_colon(branch) { &branch[2..] } else { branch };
        let (path, length) = path(branch);
        let mut full = [prefix.as_slice(), &path].concat();
        let rest = &branch[length..];
        let group = rest.iter().find_map(|token| match token {
            TokenTree::Group(group) => Some(group),
            _ => None,
        });
        if let Some(group) = group {
            let inner: Vec<_> = group.stream().into_iter().collect();
            tree(&inner, &full, leaves);
        } else if rest.iter().any(|token| is(Some(token), '*')) {
            leaves.push((full, "*".to_owned()));
        } else if !path.is_empty() {
            let alias = rest.iter().rev().find_map(|token| match token {
                TokenTree::Ident(name) => Some(name.to_string()),
                _ => None,
            });
            if full.len() > 1 && full.last().is_some_and(|last| last == "self") {
                full.pop();
            }
            let name = alias.or_else(|| full.last().cloned()).expect("the path is not empty");
            leaves.push((full, name));
        }
    }
}

fn paths_of(group: &Group) -> Vec<Path> {
    let mut modules = BTreeMap::new();
    scan(group.stream(), &Path::new(), &mut modules);
    modules.into_values().flat_map(|facts: Facts| facts.paths).collect()
}

/// All words, at any depth.
fn words(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => words(group.stream()),
        _ => Vec::new(),
    });
    words.collect()
}
