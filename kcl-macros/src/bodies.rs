//! The bodies of the methods of an impl. This crate never parses them: rustc reports the mistakes in them, and they may use syntax
//! that is newer than `syn`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ImplItem, ItemImpl};

/// Returns the impl with empty method bodies, and the bodies in order.
pub(crate) fn take(item: TokenStream) -> (TokenStream, Vec<Group>) {
    let mut bodies = Vec::new();
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    // The last braces are those of the impl.
    if let Some(TokenTree::Group(group)) = tokens.last_mut() {
        if group.delimiter() == Delimiter::Brace {
            let emptied = empty_bodies(group.stream(), &mut bodies);
            *group = braces(emptied, group);
        }
    }
    (tokens.into_iter().collect(), bodies)
}

/// The tokens of the impl, with the bodies that [`take`] returned. They are the same tokens with the same spans, so that rustc reports a
/// mistake in their syntax once.
pub(crate) fn put_back(mut item: ItemImpl, bodies: Vec<Group>) -> TokenStream {
    let methods = item.items.iter_mut().filter(|item| matches!(item, ImplItem::Fn(_)));
    for (method, body) in methods.zip(bodies) {
        let mut tokens: Vec<TokenTree> = method.to_token_stream().into_iter().collect();
        tokens.pop();
        tokens.push(body.into());
        *method = ImplItem::Verbatim(tokens.into_iter().collect());
    }
    item.into_token_stream()
}

fn empty_bodies(items: TokenStream, bodies: &mut Vec<Group>) -> TokenStream {
    let mut items = items.into_iter().peekable();
    let mut emptied = Vec::new();
    // Braces after `fn` are a body, unless they are a generic argument: those are between `<`, `,` and `>`.
    let mut in_function = false;
    while let Some(token) = items.next() {
        let after_angle_or_comma =
            matches!(emptied.last(), Some(TokenTree::Punct(last)) if matches!(last.as_char(), '<' | ','));
        match token {
            TokenTree::Ident(word) if word == "fn" => {
                in_function = true;
                emptied.push(word.into());
            }
            TokenTree::Group(group) if in_function && group.delimiter() == Delimiter::Brace => {
                let before_angle_or_comma =
                    matches!(items.peek(), Some(TokenTree::Punct(next)) if matches!(next.as_char(), '>' | ','));
                if after_angle_or_comma && before_angle_or_comma {
                    emptied.push(group.into());
                } else {
                    emptied.push(braces(TokenStream::new(), &group).into());
                    bodies.push(group);
                    in_function = false;
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => {
                in_function = false;
                emptied.push(mark.into());
            }
            other => emptied.push(other),
        }
    }
    emptied.into_iter().collect()
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

    fn round_trip(item: TokenStream, count: usize) {
        let (shell, bodies) = take(item.clone());
        assert_eq!(bodies.len(), count, "{shell}");
        let parsed: ItemImpl = syn::parse2(shell).unwrap();
        assert_eq!(put_back(parsed, bodies).to_string(), item.to_string());
    }

    #[test]
    fn bodies_are_not_parsed_and_come_back() {
        round_trip(
            quote! {
                impl<const N: usize> Sampled<N> where [(); { N }]: {
                    const LIMIT: usize = { 3 };
                    type Next = Sampled<{ N }>;
                    fn first(&self, next: Sampled<{ N }>) -> Pair<{ N }, { 3 }> where Self: Sized, { let x = ; }
                    reset! { fn no_method() {} }
                    pub fn second() {}
                    fn third(f: fn(u8) -> u8) -> Sampled<{ N }> { fn inner() { if true {} } }
                }
            },
            3,
        );
    }

    #[test]
    fn a_method_without_a_body_does_not_take_the_next_one() {
        let (_, bodies) = take(
            quote!(impl Revenue { fn add(&mut self); const LIMIT: Limit = Limit { cents: 3 }; fn report(&self) { 1 } }),
        );
        assert_eq!(bodies.iter().map(|body| body.stream().to_string()).collect::<Vec<_>>(), ["1"]);
    }
}
