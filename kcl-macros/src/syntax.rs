//! Helpers on syntax that several stages need.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{PathSegment, Type};

/// Formats tokens as a person would write them, for messages.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write_text(&mut text, tokens.to_token_stream());
    text
}

fn write_text(text: &mut String, tokens: TokenStream) {
    let is_word = |last: char| last.is_alphanumeric() || last == '_';
    let mut lifetime = false;
    for token in tokens {
        let after_lifetime = lifetime && text.ends_with(is_word);
        lifetime = false;
        match token {
            TokenTree::Group(group) => {
                if after_lifetime {
                    text.push(' ');
                }
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_text(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                mark @ ('=' | '+') => text.extend([' ', mark, ' ']),
                mark @ (',' | ';') => text.extend([mark, ' ']),
                mark => text.push(mark),
            },
            word => {
                if text.ends_with(is_word) {
                    text.push(' ');
                }
                // A lifetime is a quote followed by a word.
                lifetime = text.ends_with('\'');
                text.push_str(&word.to_string());
            }
        }
    }
}

/// The last name in the path of a type.
pub(crate) fn last_name(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(ty) => ty.path.segments.last(),
        _ => None,
    }
}

/// The type inside parentheses and inside the invisible groups that `macro_rules` leave.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// The spans of the first and the last token.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    ends_of(tokens.to_token_stream())
}

/// The part of [`ends`] that does not depend on the argument's type, so that it is compiled once.
fn ends_of(tokens: TokenStream) -> (Span, Span) {
    let mut spans = tokens.into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// The offset of a span in the sources, if the compiler shows one. The methods of spans that return their place are newer than this crate's
/// oldest compiler.
pub(crate) fn offset(span: Span) -> Option<u64> {
    let shown = format!("{span:?}");
    let (_, range) = shown.split_once("bytes(")?;
    range.split_once("..")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_a_person_would_write_it() {
        for written in
            ["&mut Checkpointer", "&'a [Record]", "Json<Order<'_>>", "dyn Debug + Send", "a::B<[u8; 3], (u8, C)>"]
        {
            let ty: Type = syn::parse_str(written).unwrap();
            assert_eq!(text(&ty), written);
        }
    }
}
