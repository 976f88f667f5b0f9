//! Snapshots of the generated code, and rules for all of it.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p kcl-macros` rewrites the snapshots.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{File, Item, Meta};

use crate::context::Context;
use crate::handlers::Kind;
use crate::{annotated_impl, args, expand, parse};

const SNAPSHOTS: [&str; 12] = [
    "quickstart",
    "every_handler",
    "default",
    "generic",
    "configured",
    "renamed",
    "mistaken",
    "policy",
    "paced",
    "constants",
    "awaited",
    "concurrent",
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name)
}

/// The options and the impl in the source of a snapshot.
fn source(name: &str) -> (TokenStream, TokenStream) {
    let text = fs::read_to_string(path(&format!("{name}.rs"))).unwrap();
    let file: File = syn::parse_str(&text).unwrap();
    let Some(Item::Impl(mut item)) = file.items.into_iter().next() else { panic!("{name}: no impl") };
    let options = match item.attrs.remove(0).meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    (options, item.into_token_stream())
}

/// The code generated beside the impl.
fn generated(name: &str) -> File {
    let (options, item) = source(name);
    let cx = Context::new();
    let options = args::parse(&cx, options);
    let processor = parse::parse(&cx, options, item).processor().unwrap();
    cx.check().unwrap();
    unwrapped(syn::parse2(expand::expand(&processor, &TokenStream::new())).unwrap())
}

/// The code with the items that the first impl of a type emits by a macro.
fn unwrapped(file: File) -> File {
    let items = file.items.into_iter().flat_map(|item| match item {
        Item::Macro(item) if item.mac.path.segments.last().is_some_and(|last| last.ident == "claimed") => {
            let code: TokenStream = item.mac.tokens.into_iter().skip(1).collect();
            syn::parse2::<File>(code).unwrap().items
        }
        other => vec![other],
    });
    File { items: items.collect(), ..file }
}

#[test]
fn expansions_match_their_snapshots() {
    for name in SNAPSHOTS {
        let (options, item) = source(name);
        let expanded = prettyplease::unparse(&unwrapped(syn::parse2(annotated_impl(options, item)).unwrap()));
        let snapshot = path(&format!("{name}.expanded.rs"));
        if env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&snapshot, &expanded).unwrap();
        }
        assert_eq!(fs::read_to_string(&snapshot).unwrap_or_default(), expanded, "{}", snapshot.display());
    }
}

#[test]
fn every_handler_is_called() {
    let sources = ["every_handler", "quickstart", "policy"];
    let expanded: String = sources.map(|name| generated(name).into_token_stream().to_string()).concat();
    for kind in Kind::ALL {
        let call = format!(":: kcl :: __private :: {} (", kind.attribute());
        assert!(expanded.contains(&call), "no snapshot has a handler with `#[{}]`", kind.attribute());
    }
}

/// The paths in generated code.
fn paths(file: &File) -> Vec<syn::Path> {
    struct Paths(Vec<syn::Path>);
    impl<'a> Visit<'a> for Paths {
        fn visit_path(&mut self, path: &'a syn::Path) {
            self.0.push(path.clone());
            visit::visit_path(self, path);
        }

        // Attributes are rustc's own, and a `cfg` contains words, not paths.
        fn visit_attribute(&mut self, _: &'a syn::Attribute) {}

        fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
            let words = item.to_token_stream().to_string();
            let is_of_the_module = words.ends_with("use claimed ;");
            let is_absolute = item.leading_colon.is_some() || words.starts_with("use crate ::");
            assert!(is_absolute || is_of_the_module, "relative: {words}");
        }
    }
    let mut paths = Paths(Vec::new());
    paths.visit_file(file);
    paths.0
}

fn first(path: &syn::Path) -> String {
    path.segments[0].ident.to_string()
}

#[test]
fn no_path_is_relative() {
    // The names that the sources of the snapshots define or import.
    let of_the_user = [
        "Revenue",
        "Json",
        "Order",
        "Shard",
        "Sample",
        "Result",
        "BoxError",
        "io",
        "Record",
        "Checkpointer",
        "CheckpointError",
        "DeadLetter",
        "Vec",
        "Count",
        "Last",
        "MillisBehindLatest",
        "limits",
        "T",
        "N",
        "Place",
        "DeserializeOwned",
        "Sum",
        "usize",
        "AsyncCheckpointer",
    ];
    let of_this_crate = [
        "Self",
        "self",
        "__this",
        "__input",
        "__cx",
        "__p1",
        "__p2",
        "__p3",
        "__t1",
        "__t2",
        "__t3",
        "__EVERY",
        "__AHEAD",
        "__DRAIN",
        "__WORKER_THREADS",
        "__records",
        "__Rule",
        "macro_rules",
        "__Here",
    ];
    for name in
        ["quickstart", "every_handler", "default", "generic", "configured", "policy", "paced", "awaited", "concurrent"]
    {
        for path in paths(&generated(name)) {
            let first = first(&path);
            let is_alias = first.starts_with("__") && path.segments.len() == 1 || first.starts_with("__Kcl");
            let known = of_the_user.contains(&first.as_str()) || of_this_crate.contains(&first.as_str()) || is_alias;
            assert!(path.leading_colon.is_some() || known, "{name}: {}", path.to_token_stream());
        }
    }
}

#[test]
fn the_crate_is_named_as_the_user_names_it() {
    let paths = paths(&generated("renamed"));
    let through = |path: &&syn::Path| path.to_token_stream().to_string().starts_with("crate :: deps :: streams ::");
    assert!(paths.iter().filter(through).count() > 10);
    for path in &paths {
        let absolute = path.leading_colon.is_some();
        assert!(!path.segments.iter().any(|segment| segment.ident == "kcl"), "{}", path.to_token_stream());
        assert!(!absolute || ["core", "std"].contains(&first(path).as_str()), "{}", path.to_token_stream());
    }
}

#[test]
fn a_handler_is_under_twenty_lines() {
    struct Functions(Vec<syn::ImplItemFn>);
    impl<'a> Visit<'a> for Functions {
        fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
            self.0.push(item.clone());
        }
    }
    for name in ["quickstart", "every_handler", "default", "configured", "policy", "awaited", "concurrent"] {
        let mut functions = Functions(Vec::new());
        functions.visit_file(&generated(name));
        assert!(!functions.0.is_empty());
        for mut function in functions.0 {
            function.attrs.clear();
            let file: File = syn::parse_quote!(impl Revenue { #function });
            // The impl's own two lines do not count.
            let lines = prettyplease::unparse(&file).lines().count() - 2;
            assert!(lines < 20, "{name}: {} has {lines} lines", function.sig.ident);
        }
    }
}

#[test]
fn a_mistaken_impl_is_still_emitted_and_still_a_processor() {
    let (options, item) = source("mistaken");
    let file: File = syn::parse2(annotated_impl(options, item)).unwrap();
    let implemented: Vec<String> = file
        .items
        .iter()
        .flat_map(|item| match item {
            Item::Const(item) => item.expr.to_token_stream(),
            other => other.to_token_stream(),
        })
        .map(|token| token.to_string())
        .collect();
    let all = implemented.join(" ");
    for expected in [
        "fn open",
        "fn add",
        "Processor for __KclOtherThanRevenue_T",
        "Initialize for __KclOtherThanRevenue_T",
        "fn main",
    ] {
        let words: Vec<&str> = expected.split(' ').collect();
        let found = all.split_whitespace().collect::<Vec<_>>().windows(words.len()).any(|window| window == words);
        assert!(found || all.contains(expected), "{expected} is missing");
    }
    assert_eq!(all.matches("diagnostic :: on_unimplemented").count(), 3);
}
