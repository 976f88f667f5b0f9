//! The bodies of the methods of an impl. This crate does not parse them: rustc reports the mistakes in them, and they may use syntax
//! that is newer than `syn`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Block, Expr, ExprLit, ImplItem, Item, ItemImpl, Lit, LitInt, Stmt};

/// The suffix of the number that stands for a body.
const MARK: &str = "kcl_body";

/// Parses an item. If it is an impl, the bodies of its methods are marks, and the bodies are returned.
///
/// # Errors
///
/// The item cannot be parsed, for example because it is being typed.
pub(crate) fn parse(tokens: &TokenStream) -> syn::Result<(Item, Vec<Group>)> {
    let (shell, bodies) = take(tokens.clone());
    match syn::parse2::<Item>(shell) {
        Ok(Item::Impl(item)) if item.items.iter().filter_map(mark).eq(0..bodies.len()) => {
            Ok((Item::Impl(item), bodies))
        }
        // Some braces belong to something else than was thought.
        Ok(Item::Impl(_)) | Err(_) => Ok((syn::parse2(tokens.clone())?, Vec::new())),
        Ok(other) => Ok((other, Vec::new())),
    }
}

/// The tokens of the impl, with the bodies that [`parse`] returned. They are the same tokens with the same spans, so that rustc reports a
/// mistake in their syntax once.
pub(crate) fn put_back(mut item: ItemImpl, bodies: &[Group]) -> TokenStream {
    for item in &mut item.items {
        if let Some(body) = of(item, bodies) {
            let mut tokens: Vec<TokenTree> = item.to_token_stream().into_iter().collect();
            tokens.pop();
            tokens.push(body.clone().into());
            *item = ImplItem::Verbatim(tokens.into_iter().collect());
        }
    }
    item.into_token_stream()
}

/// The body of a method that has a mark.
pub(crate) fn of<'a>(item: &ImplItem, bodies: &'a [Group]) -> Option<&'a Group> {
    bodies.get(mark(item)?)
}

/// The number of the body that the mark in a method stands for.
fn mark(item: &ImplItem) -> Option<usize> {
    let ImplItem::Fn(method) = item else { return None };
    let Block { stmts, .. } = &method.block;
    let [Stmt::Expr(Expr::Lit(ExprLit { lit: Lit::Int(number), .. }), None)] = &**stmts else { return None };
    number.base10_parse().ok().filter(|_| number.suffix() == MARK)
}

/// Returns the impl with marks instead of method bodies, and the bodies in order.
fn take(item: TokenStream) -> (TokenStream, Vec<Group>) {
    let mut bodies = Vec::new();
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    // The last braces are those of the impl.
    if let Some(TokenTree::Group(group)) = tokens.last_mut() {
        if group.delimiter() == Delimiter::Brace {
            let marked = mark_bodies(group.stream(), &mut bodies);
            *group = braces(marked, group);
        }
    }
    (tokens.into_iter().collect(), bodies)
}

fn mark_bodies(items: TokenStream, bodies: &mut Vec<Group>) -> TokenStream {
    let mut items = items.into_iter().peekable();
    let mut marked: Vec<TokenTree> = Vec::new();
    // Braces after `fn` and a name are a body, unless they are a generic argument: those are between `<`, `,` or `=` and `,` or `>`.
    let mut in_function = false;
    while let Some(token) = items.next() {
        let is_argument = is_mark(marked.last(), "<,=") && is_mark(items.peek(), ">,");
        match token {
            TokenTree::Group(body) if in_function && !is_argument && is_block(&body) => {
                let number = LitInt::new(&format!("{}{MARK}", bodies.len()), body.span());
                marked.push(braces(number.into_token_stream(), &body).into());
                bodies.push(body);
                in_function = false;
            }
            token => {
                in_function = match &token {
                    TokenTree::Ident(word) if word == "fn" => {
                        in_function || matches!(items.peek(), Some(TokenTree::Ident(_)))
                    }
                    TokenTree::Punct(mark) => in_function && mark.as_char() != ';',
                    _ => in_function,
                };
                marked.push(token);
            }
        }
    }
    marked.into_iter().collect()
}

/// Whether a token is one of these punctuation marks.
fn is_mark(token: Option<&TokenTree>, marks: &str) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if marks.contains(mark.as_char()))
}

/// Whether a group is braces, or a fragment `$body:block` of `macro_rules!`.
fn is_block(group: &Group) -> bool {
    match group.delimiter() {
        Delimiter::Brace => true,
        Delimiter::None => {
            let mut tokens = group.stream().into_iter();
            matches!((tokens.next(), tokens.next()), (Some(TokenTree::Group(group)), None) if is_block(&group))
        }
        _ => false,
    }
}

fn braces(tokens: TokenStream, like: &Group) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(like.span());
    group
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    /// The impl that is read from these tokens, and the bodies.
    fn read(item: &TokenStream) -> (ItemImpl, Vec<Group>) {
        let (parsed, bodies) = parse(item).unwrap();
        let Item::Impl(parsed) = parsed else { panic!("not an impl: {item}") };
        (parsed, bodies)
    }

    fn round_trip(item: &TokenStream, count: usize) {
        let (parsed, bodies) = read(item);
        assert_eq!(bodies.len(), count, "{item}");
        let text = |item: &TokenStream| item.to_string().replace(' ', "");
        assert_eq!(text(&put_back(parsed, &bodies)), text(item));
    }

    #[test]
    fn bodies_are_not_parsed_and_come_back() {
        round_trip(
            &quote! {
                impl<const N: usize> Sampled<N> where [(); { N }]: {
                    const LIMIT: usize = { 3 };
                    type Next = Sampled<{ N }>;
                    fn first(&self, next: Sampled<{ N }>) -> Pair<{ N }, { 3 }> where Self: Sized, { let x = ; }
                    reset! { fn no_method() {} }
                    pub fn second() {}
                    fn third(f: fn(u8) -> u8) -> Sampled<{ N }> where Self: Sampling<Rate = { 3 }> { fn inner() { if true {} } }
                }
            },
            3,
        );
    }

    #[test]
    fn braces_of_something_else_are_no_body() {
        for value in [
            quote!(|| {}),
            quote!({ report }),
            quote!(match LIMIT {
                3 => report,
                _ => add,
            }),
        ] {
            let item = quote!(impl Revenue { fn add(&mut self) { self.cents += 1; } const HOOK: fn() = #value; fn report(&self) { 1 } });
            round_trip(&item, 2);
        }
    }

    #[test]
    fn a_body_may_be_a_fragment() {
        let fragment = |body: TokenStream| TokenTree::from(Group::new(Delimiter::None, body));
        let (block, name) = (
            fragment(quote!({
                self.cents += 1;
            })),
            fragment(quote!(u64)),
        );
        let item = quote!(impl Revenue { fn add(&mut self) -> #name #block fn report(&self) { 1 } });
        let (_, bodies) = read(&item);
        assert_eq!(
            bodies.iter().map(|body| body.stream().to_string()).collect::<Vec<_>>(),
            ["{ self . cents += 1 ; }", "1"]
        );
        round_trip(&item, 2);
    }

    #[test]
    fn a_method_without_a_body_does_not_take_the_next_one() {
        let item =
            quote!(impl Revenue { fn add(&mut self); const LIMIT: Limit = Limit { cents: 3 }; fn report(&self) { 1 } });
        let (_, bodies) = take(item);
        assert_eq!(bodies.iter().map(|body| body.stream().to_string()).collect::<Vec<_>>(), ["1"]);
    }
}
