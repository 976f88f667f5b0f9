//! The types and the lifetimes within a type.
//!
//! The visitors of syn would find them, too. But a type may contain any expression, so each visitor is compiled for all of syn's syntax.
//! That took a third of this crate's build.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{GenericArgument, Lifetime, Path, PathArguments, ReturnType, Token, Type, TypeParamBound};

/// The direct parts of a type.
#[derive(Default)]
struct Parts<'a> {
    types: Vec<&'a Type>,
    lifetimes: Vec<&'a Lifetime>,
}

impl<'a> Parts<'a> {
    fn of(ty: &'a Type) -> Self {
        let mut parts = Self::default();
        match ty {
            Type::Array(ty) => parts.types.push(&ty.elem),
            Type::FnPtr(ty) => {
                parts.types.extend(ty.inputs.iter().map(|input| &input.ty));
                parts.add_output(&ty.output);
            }
            Type::Group(ty) => parts.types.push(&ty.elem),
            Type::ImplTrait(ty) => parts.add_bounds(&ty.bounds),
            Type::Paren(ty) => parts.types.push(&ty.elem),
            Type::Path(ty) => {
                parts.types.extend(ty.qself.as_ref().map(|qself| &*qself.ty));
                parts.add_path(&ty.path);
            }
            Type::Ptr(ty) => parts.types.push(&ty.elem),
            Type::Reference(ty) => {
                parts.lifetimes.extend(&ty.lifetime);
                parts.types.push(&ty.elem);
            }
            Type::Slice(ty) => parts.types.push(&ty.elem),
            Type::TraitObject(ty) => parts.add_bounds(&ty.bounds),
            Type::Tuple(ty) => parts.types.extend(&ty.elems),
            _ => {}
        }
        parts
    }

    fn add_path(&mut self, path: &'a Path) {
        for segment in &path.segments {
            match &segment.arguments {
                PathArguments::AngleBracketed(arguments) => {
                    arguments.args.iter().for_each(|argument| self.add_argument(argument));
                }
                PathArguments::Parenthesized(arguments) => {
                    self.types.extend(arguments.inputs.iter().map(|input| &input.ty));
                    self.add_output(&arguments.output);
                }
                PathArguments::None => {}
            }
        }
    }

    fn add_argument(&mut self, argument: &'a GenericArgument) {
        match argument {
            GenericArgument::Lifetime(lifetime) => self.lifetimes.push(lifetime),
            GenericArgument::Type(ty) => self.types.push(ty),
            GenericArgument::AssocType(argument) => self.types.push(&argument.ty),
            GenericArgument::Constraint(argument) => self.add_bounds(&argument.bounds),
            _ => {}
        }
    }

    fn add_output(&mut self, output: &'a ReturnType) {
        if let ReturnType::Type(_, ty) = output {
            self.types.push(ty);
        }
    }

    fn add_bounds(&mut self, bounds: &'a Punctuated<TypeParamBound, Token![+]>) {
        for bound in bounds {
            match bound {
                TypeParamBound::Trait(bound) => self.add_path(&bound.path),
                TypeParamBound::Lifetime(lifetime) => self.lifetimes.push(lifetime),
                _ => {}
            }
        }
    }
}

/// A type and the types within it, outermost first.
pub(crate) fn types(ty: &Type) -> Vec<&Type> {
    let mut found = vec![ty];
    for part in Parts::of(ty).types {
        found.append(&mut types(part));
    }
    found
}

/// The lifetimes in a type, except in function pointers and in the traits of a trait object: there, `for<'a>` may declare others.
pub(crate) fn lifetimes(ty: &Type) -> Vec<&Lifetime> {
    if let Type::TraitObject(object) = ty {
        let lifetimes = object.bounds.iter().filter_map(|bound| match bound {
            TypeParamBound::Lifetime(lifetime) => Some(lifetime),
            _ => None,
        });
        return lifetimes.collect();
    }
    if matches!(ty, Type::FnPtr(_)) {
        return Vec::new();
    }
    let Parts { types, mut lifetimes } = Parts::of(ty);
    for part in types {
        lifetimes.append(&mut self::lifetimes(part));
    }
    lifetimes
}

/// The tokens of a type, with other names for some lifetimes, those in the input of macros included. `rename` receives each name, without
/// its quote.
pub(crate) fn rename_lifetimes(tokens: TokenStream, rename: &mut dyn FnMut(&Ident) -> Option<Ident>) -> TokenStream {
    let mut after_quote = false;
    let renamed = tokens.into_iter().map(|token| {
        let renamed = match token {
            TokenTree::Ident(name) if after_quote => rename(&name).unwrap_or(name).into(),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), rename_lifetimes(group.stream(), rename));
                inner.set_span(group.span());
                inner.into()
            }
            other => other,
        };
        after_quote = matches!(&renamed, TokenTree::Punct(mark) if mark.as_char() == '\'');
        renamed
    });
    renamed.collect()
}

/// The tokens of a type with a name for each `'_`, and these names. Their span is the given one, or else that of the `'_`.
pub(crate) fn name_elided(tokens: TokenStream, span: Option<Span>) -> (TokenStream, Vec<Lifetime>) {
    let mut named: Vec<Lifetime> = Vec::new();
    let renamed = rename_lifetimes(tokens, &mut |lifetime| {
        let span = span.unwrap_or(lifetime.span());
        let name = (lifetime == "_").then(|| Ident::new(&format!("kcl{}", named.len() + 1), span))?;
        named.push(Lifetime { apostrophe: span, ident: name.clone() });
        Some(name)
    });
    (renamed, named)
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;
    use crate::syntax::text;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn each_type_in_a_type_is_found() {
        let found = |written: &str| types(&ty(written)).into_iter().skip(1).map(text).collect::<Vec<_>>();
        assert_eq!(found("u8"), [""; 0]);
        assert_eq!(found("a::B<C<'x, D>, Item = E, F: G<H>, 3>"), ["C<'x, D>", "D", "E", "H"]);
        assert_eq!(found("&'a mut [(A, [B; 2])]"), ["[(A, [B; 2])]", "(A, [B; 2])", "A", "[B; 2]", "B"]);
        assert_eq!(found("<A as B<C>>::D"), ["A", "C"]);
        assert_eq!(found("Box<dyn Fn(A) -> *const B + 'static>").len(), 4);
        assert_eq!(found("fn(A) -> (B)"), ["A", "(B)", "B"]);
        assert_eq!(found("impl A<B>"), ["B"]);
    }

    #[test]
    fn lifetimes_are_found_where_no_other_can_be_declared() {
        let found = |written: &str| lifetimes(&ty(written)).into_iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("&'a B<'c, &'d E, F<G = H<'i>>>"), ["'a", "'c", "'d", "'i"]);
        assert_eq!(found("(Box<dyn for<'a> Fn(&'a u8)>, for<'b> fn(&'b u8), &'c u8)"), ["'c"]);
    }

    #[test]
    fn lifetimes_are_renamed_wherever_they_are() {
        let tokens = ty("A<'_, [&'_ u8; 2], &'c _, m!(&'_ u8)>").into_token_stream();
        let (renamed, names) = name_elided(tokens, None);
        assert_eq!(text(&renamed), "A<'kcl1, [&'kcl2 u8; 2], &'c _, m!(&'kcl3 u8)>");
        assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["'kcl1", "'kcl2", "'kcl3"]);
    }
}
