// A factory that creates another type.

fn main() -> std::process::ExitCode {
    kcl::Runner::new(|shard| Ok::<String, kcl::BoxError>(shard.id().to_owned())).run()
}
