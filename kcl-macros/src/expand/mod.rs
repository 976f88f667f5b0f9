//! Generates code from the model: the trait impls and `main`, which are thin calls into `kcl::__private`. The user's impl is emitted
//! before them, with an alias for its type and without the handler attributes.

mod checkpoints;
mod claim;
mod constants;
mod methods;
mod policy;
mod running;
mod slots;
pub(crate) mod types;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use self::slots::{Chosen, Unfilled};
use self::types::{used_generics, without_lifetimes};
use crate::check::conflict;
use crate::handlers::{Kind, Slot};
use crate::header::{cannot_have_methods, impl_lifetimes};
use crate::messages;
use crate::model::{Action, Handler, OptionName, Options, Processor};
use crate::syntax::{peel, text};

/// Generates everything that the impl becomes: the impl itself, the code beside it, and `main`.
pub(crate) fn expand(processor: &Processor, item: &TokenStream) -> TokenStream {
    let constants::Options { items, checkpoint, warn_after, worker_threads } = constants::options(processor);
    let mut parts = Parts { items, ..Parts::default() };
    for &slot in Slot::ALL {
        parts.add(processor, slot, checkpoint.as_ref());
    }
    let Parts { errors, items, constants, methods, initialize } = parts;
    let krate = &processor.options.krate;
    let warn_after = warn_after.map(|time| {
        let name = processor.options.constant("WARN_AFTER", OptionName::WarnAfter);
        quote!(const #name: ::core::time::Duration = #time;)
    });
    let log_payloads = (!processor.options.log_payloads).then(|| {
        let name = processor.options.constant("LOG_PAYLOADS", OptionName::LogPayloads);
        quote!(const #name: ::core::primitive::bool = false;)
    });
    let worker_threads = running::worker_threads(processor, worker_threads.as_ref());
    let implemented = Ident::new(if processor.is_async() { "AsyncProcessor" } else { "Processor" }, Span::call_site());
    let (allow, style) = (allow(processor), allow_style());
    let conflicts = conflicts(processor);
    let hovers = processor.handlers.iter().filter_map(|handler| hover(&processor.options, handler));
    let main = main(processor);

    let generics = types::generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (self_ty, alias) = (processor.ty(), alias(processor));
    let code = quote! {
        #item
        #alias
        #allow
        #style
        const _: () = {
            #(#hovers)*
            #conflicts
            #(#errors)*
            #items
            #[automatically_derived]
            impl #impl_generics #krate::#implemented for #self_ty #where_clause {
                #(#constants)*
                #warn_after
                #log_payloads
                #worker_threads
                #(#methods)*
            }
            #(#initialize)*
        };
        #main
    };
    claim::claimed(processor, &code)
}

/// The contributions of the slots to the generated code.
#[derive(Default)]
struct Parts {
    errors: Vec<TokenStream>,
    /// The constants that hold values of options.
    items: TokenStream,
    /// The constants of the impl of `Processor`.
    constants: Vec<TokenStream>,
    /// The methods of the impl of `Processor`.
    methods: Vec<TokenStream>,
    /// The impls of `Initialize`, of which the configuration leaves one.
    initialize: Vec<TokenStream>,
}

impl Parts {
    fn add(&mut self, processor: &Processor, slot: Slot, checkpoint: Option<&TokenStream>) {
        let (chosen, unfilled) = slots::handlers(processor, slot);
        match slot {
            Slot::Init => {
                self.initialize.extend(chosen.iter().map(|chosen| methods::initialize(processor, chosen)));
                self.initialize.extend(unfilled.map(|unfilled| methods::initialize_by_default(processor, &unfilled)));
            }
            Slot::Records => {
                self.constants.extend(chosen.iter().map(|chosen| checkpoints::constant(processor, chosen, checkpoint)));
                for (policy, items) in chosen.iter().filter_map(|chosen| policy::constant(processor, chosen)) {
                    self.constants.push(policy);
                    self.items.extend(items);
                }
                for (running, items) in chosen.iter().map(|chosen| running::constants(processor, chosen)) {
                    self.constants.push(running);
                    self.items.extend(items);
                }
                self.add_methods(processor, &chosen);
                self.methods.extend(unfilled.iter().map(|unfilled| {
                    methods::no_batches(processor, Some(&unfilled.to_token_stream()), &quote!(loop {}))
                }));
                self.errors.extend(unfilled.iter().map(|unfilled| no_record_handler(processor, unfilled)));
            }
            Slot::Tick => {
                for (tick, items) in chosen.iter().filter_map(|chosen| constants::tick(processor, chosen)) {
                    self.constants.push(tick);
                    self.items.extend(items);
                }
                self.add_methods(processor, &chosen);
            }
            Slot::LeaseLost | Slot::ShardEnd | Slot::ShutdownRequested => self.add_methods(processor, &chosen),
            Slot::DeadLetter => {
                self.add_methods(processor, &chosen);
                self.errors.extend(unfilled.iter().flat_map(|unfilled| no_dead_letter_handler(processor, unfilled)));
            }
        }
    }

    /// Adds the methods of the trait that call these handlers.
    fn add_methods(&mut self, processor: &Processor, chosen: &[Chosen<'_>]) {
        self.methods.extend(chosen.iter().map(|chosen| methods::methods(processor, chosen)));
    }
}

/// Generates a replacement for [`expand`] when there are errors: just enough to avoid further errors.
/// If there are no errors after all, it still does not compile into a program.
pub(crate) fn stand_in(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let allow = allow(processor);
    let main = processor.options.main.then(|| stand_in_main(krate, cfgs));
    let alias = alias(processor);
    if cannot_have_methods(processor) || matches!(peel(&processor.self_ty), Type::TraitObject(_)) {
        return quote!(#main);
    }
    // The record handler may be in another impl, and then these traits are implemented there. A `main` of the user would need them here.
    let is_other_impl = processor.options.main && processor.lacks_records;
    if is_other_impl {
        let made = processor.handlers.iter().any(|handler| handler.kind.is_constructor()).then(|| made_here(processor));
        return quote!(#alias #made #main);
    }
    let generics = used_generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (items, self_ty) = claim::unless_claimed(processor);
    let never = quote!(#krate::__private::left_to_rustc::<Self>());
    quote! {
        #alias
        #items
        #(#cfgs)*
        #allow
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #krate::Processor for #self_ty #where_clause {
                fn process_records(&mut self, _: &mut #krate::ProcessRecords<'_>) -> #krate::__private::Handled {
                    #never
                }
            }
            #[automatically_derived]
            impl #impl_generics #krate::Initialize for #self_ty #where_clause {
                fn initialize(_: &#krate::Shard) -> #krate::__private::Made<Self> {
                    #never
                }
            }
        };
        #main
    }
}

/// A stand-in for the constructor, which an impl elsewhere with the record handler would miss.
fn made_here(processor: &Processor) -> TokenStream {
    let (krate, cfgs, self_ty, allow) = (&processor.options.krate, &processor.cfgs, processor.ty(), allow(processor));
    let generics = used_generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    quote! {
        #(#cfgs)*
        #allow
        #[automatically_derived]
        impl #impl_generics #krate::__private::OnInitOrDefault<'_> for #self_ty #where_clause {
            fn make() -> Self {
                #krate::__private::left_to_rustc::<Self>()
            }
        }
    }
}

/// The definition of the alias for the processor's type, if there is one.
fn alias(processor: &Processor) -> Option<TokenStream> {
    let definition = &processor.alias.as_ref()?.definition;
    let allow = allow(processor);
    Some(quote!(#allow #definition))
}

/// An attribute for code that may name something deprecated. A crate may forbid that lint, so it is not always there.
fn allow(processor: &Processor) -> Option<TokenStream> {
    processor.names_deprecated.then(|| quote!(#[allow(deprecated)]))
}

/// An attribute for code with spans of the user's types. Clippy takes it for the user's own.
fn allow_style() -> TokenStream {
    quote!(#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)])
}

/// A `main` that does not compile into a program. It is imported by a glob, so a `main` of the user is not a second one.
pub(crate) fn stand_in_main(krate: &Path, cfgs: &[syn::Attribute]) -> TokenStream {
    quote! { #(#cfgs)* #[allow(unused_imports)] use #krate::__private::stand_in::*; }
}

/// The handler attributes of a module with a mistake, for methods that the mistake keeps from being handlers. They are imported by a glob, so
/// an import of the user is not a second one.
pub(crate) fn stand_in_attributes(krate: &Path) -> TokenStream {
    quote! { #[allow(unused_imports)] use #krate::__private::attributes::*; }
}

/// An impl whose handler attributes do nothing, even if the user imports them or names the crate: the imports of a block come before those
/// of its module.
pub(crate) fn among_stand_ins(krate: &Path, item: &TokenStream) -> TokenStream {
    let attributes = Kind::ALL.iter().map(|kind| Ident::new(kind.attribute(), Span::call_site()));
    let name = krate.segments.last().map(|last| &last.ident).filter(|name| *name == "kcl");
    let qualified = name.map(|name| quote!(self as #name,));
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::among_stand_ins::{#qualified #(#attributes),*};
            #item
        };
    }
}

/// Errors for two handlers for one message, if the configuration decides whether both exist.
fn conflicts(processor: &Processor) -> TokenStream {
    let mut errors = TokenStream::new();
    for (index, second) in processor.handlers.iter().enumerate() {
        let of_its_slot = |first: &&Handler| first.kind.slot() == second.kind.slot();
        let mut before: Vec<TokenStream> = Vec::new();
        for first in processor.handlers[..index].iter().filter(of_its_slot) {
            let conditions: Vec<_> = [first, second].into_iter().filter_map(Handler::condition).collect();
            if !conditions.is_empty() {
                let error = conflict(first, second).at(&second.attribute).to_compile_error();
                // One error for the second handler, even if several come before it.
                errors.extend(quote!(#[cfg(all(#(#conditions,)* not(any(#(#before),*))))] #error));
            }
            match first.condition() {
                Some(condition) => before.push(condition),
                None => break,
            }
        }
    }
    errors
}

/// The error if the configuration leaves no record handler.
fn no_record_handler(processor: &Processor, unfilled: &Unfilled) -> TokenStream {
    let self_ty = &processor.self_ty;
    let error = messages::no_record_handler(&text(self_ty)).at(self_ty).to_compile_error();
    quote!(#unfilled #error)
}

/// The error at each record handler that requests dead letters, if the configuration leaves no handler for them.
fn no_dead_letter_handler(processor: &Processor, unfilled: &Unfilled) -> Vec<TokenStream> {
    let request = |handler: &Handler| {
        let (_, value) = handler.policy.actions().find(|(action, _)| *action == Action::DeadLetter)?;
        let error = messages::dead_letter_handler_left_out().at(value).to_compile_error();
        let cfgs = &handler.cfgs;
        Some(quote!(#(#cfgs)* #unfilled #error))
    };
    processor.handlers.iter().filter_map(request).collect()
}

/// An import that lets editors show the documentation of the attribute. There is none if the user wrote the crate's path: if that is
/// wrong, rustc would report the import and everything else.
fn hover(options: &Options, handler: &Handler) -> Option<TokenStream> {
    if options.krate_is_given {
        return None;
    }
    let (krate, cfgs) = (&options.krate, &handler.cfgs);
    let name = Ident::new(handler.kind.attribute(), handler.attribute.segments.last()?.ident.span());
    Some(quote!(#(#cfgs)* use #krate::#name as _;))
}

fn main(processor: &Processor) -> Option<TokenStream> {
    if !processor.options.main {
        return None;
    }
    let krate = &processor.options.krate;
    let allow = allow(processor);
    let self_ty = without_lifetimes(processor.ty(), &impl_lifetimes(processor));
    let run = Ident::new(if processor.is_async() { "run_async" } else { "run" }, Span::call_site());
    let run = match &processor.generics.where_clause {
        None => quote!(#krate::#run::<#self_ty>()),
        Some(_) => quote!({
            use #krate::__private::NoStart as _;
            #krate::__private::Start::<#self_ty>::new().#run()
        }),
    };
    Some(quote_spanned! {Span::call_site()=>
        #allow
        fn main() -> ::std::process::ExitCode {
            #run
        }
    })
}
