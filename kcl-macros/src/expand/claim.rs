//! Lets one impl of a type have handlers.
//!
//! The impl defines a module whose name is that rule, so a second impl of the type is one error: it defines the module again. A macro of that
//! module emits the impl and the generated code. rustc keeps the first of the two modules, and its macro leaves out the second impl with its
//! code, which would be further errors.

use std::fmt::Write as _;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::Type;

use crate::model::Processor;
use crate::syntax::offset;

/// An impl and its generated code, unless another impl of the type comes before it.
pub(super) fn claimed(processor: &Processor, code: &TokenStream) -> TokenStream {
    let cfgs = &processor.cfgs;
    let name = name(&processor.self_ty);
    let (module, other, claim) = (module(&name), other(&name), claim(processor));
    quote! {
        #(#cfgs)*
        mod #module {
            macro_rules! claimed {
                (#claim $($code:tt)*) => { $($code)* };
                ($($code:tt)*) => {};
            }
            pub(super) use claimed;
        }
        #(#cfgs)*
        #module::claimed! { #claim struct #other<T>(T); #code }
    }
}

/// The items of code for a type, and the type in that code. If a complete impl of the type follows elsewhere, it is another type: a name that a
/// glob imports gives way to a definition.
pub(super) fn unless_claimed(processor: &Processor) -> (TokenStream, TokenStream) {
    let cfgs = &processor.cfgs;
    let (other, self_ty) = (other(&name(&processor.self_ty)), processor.ty());
    let glob = format_ident!("{}{}", claim(processor), other);
    let items = quote! {
        #(#cfgs)*
        mod #glob {
            pub type #other<T> = T;
        }
        #(#cfgs)*
        use #glob::*;
    };
    (items, quote!(#other<#self_ty>))
}

/// A word that differs between the impls of a type: their methods have different names, or at least different places.
fn claim(processor: &Processor) -> Ident {
    let handler = processor.handlers.first().map(|handler| handler.name().to_string()).unwrap_or_default();
    let place = offset(Span::call_site()).map(|offset| format!("_{offset}")).unwrap_or_default();
    let mut name = String::new();
    write_text(&mut name, handler.trim_start_matches("r#"));
    format_ident!("__kcl_{name}{place}", span = Span::call_site())
}

/// The name of the module.
fn module(name: &str) -> Ident {
    format_ident!("all_handlers_of_{name}_stand_in_one_impl", span = Span::call_site())
}

/// The name of a type that is not a processor.
fn other(name: &str) -> Ident {
    format_ident!("__KclOtherThan{name}", span = Span::call_site())
}

/// A name for a type. Different types have different names.
fn name(ty: &Type) -> String {
    let mut name = String::new();
    write_type(&mut name, ty.to_token_stream());
    name
}

fn write_type(name: &mut String, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                name.push_str("_of_");
                write_type(name, group.stream());
                name.push('_');
            }
            TokenTree::Punct(mark) if matches!(mark.as_char(), '<' | '>' | ':') => name.push('_'),
            token => write_text(name, &token.to_string()),
        }
    }
}

/// Writes the text of a token. Everything that is neither a letter nor a digit of ASCII becomes a number: not every other letter can be in a
/// name, and rustc passes on names that it rejects, such as one with an emoji.
fn write_text(name: &mut String, text: &str) {
    for char in text.chars() {
        if char.is_ascii_alphanumeric() {
            name.push(char);
        } else {
            // Writing to a string never fails.
            let _ = write!(name, "_{:x}_", u32::from(char));
        }
    }
}
